"use strict";

/** Where the clipboard is closed to scripts, as on pages without https. */
function copiedByHand(text) {
    const box = document.body.appendChild(Object.assign(document.createElement("textarea"), { value: text }));
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    return done;
}

/** Copy a text, and say so on the button for a while. */
async function copy(button, text) {
    const label = button.dataset.label ?? button.textContent;
    button.dataset.label = label;
    try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
    } catch {
        button.textContent = copiedByHand(text) ? "Copied" : "Not allowed here";
        button.focus();
    }
    setTimeout(() => {
        button.textContent = label;
    }, 1500);
}
