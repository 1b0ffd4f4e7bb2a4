// A button that copies the text beside it, where the browser lets it; without script the text is selected by a click.
(() => {
  "use strict";
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("button[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent.trim());
      } catch {
        return; // not allowed: the text can still be selected
      }
      button.textContent = button.dataset.said;
      button.nextElementSibling.textContent = button.dataset.said;
    });
  }
})();
