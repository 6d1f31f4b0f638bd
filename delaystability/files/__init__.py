"""Reading and writing files safely: nothing that the user made is overwritten."""
