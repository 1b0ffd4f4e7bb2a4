// Counts the ticked jobs on the buttons that do something with them, and ticks all of a page. Without it the buttons
// lead to a page that says the number.
(() => {
  "use strict";
  const boxes = () => [...document.querySelectorAll('input[name="job"][form="selected"]')];
  const all = document.getElementById("select-all");

  const tell = () => {
    const every = boxes();
    const ticked = every.filter((box) => box.checked).length;
    for (const button of document.querySelectorAll("button[data-labels]")) {
      button.textContent = JSON.parse(button.dataset.labels)[ticked];
      button.disabled = ticked === 0;
    }
    if (all) {
      all.checked = ticked > 0 && ticked === every.length;
      all.indeterminate = ticked > 0 && ticked < every.length;
    }
  };

  document.addEventListener("change", (event) => {
    if (event.target === all) for (const box of boxes()) box.checked = all.checked;
    if (event.target === all || event.target.name === "job") tell();
  });
  if (all) all.parentElement.hidden = false;
  window.addEventListener("pageshow", tell); // what was ticked is so again after going back
  tell();
})();
