// The reader's say over a live page: freeze it while reading, and how often it may change. The rate is remembered.
(() => {
  "use strict";
  const KEY = "pomni_every_ms";

  window.pomniLiveControls = ({ freeze, words }) => {
    const place = document.getElementById("live-controls");
    const button = document.getElementById("live-freeze");
    const rates = [...place.querySelectorAll("input[type=radio]")];
    let isFrozen = false;

    const remembered = () => {
      try { return localStorage.getItem(KEY) || "0"; } catch { return "0"; } // storage may be forbidden
    };

    const turn = () => {
      isFrozen = !isFrozen;
      button.classList.toggle("is-on", isFrozen);
      button.querySelector("span").textContent = isFrozen ? words.go_on : words.freeze;
      freeze(isFrozen);
    };

    const chosen = () => rates.find((rate) => rate.checked).value;

    for (const rate of rates) if (rate.value === remembered()) rate.checked = true;
    place.addEventListener("change", () => {
      try { localStorage.setItem(KEY, chosen()); } catch { /* for this page only, then */ }
      freeze(isFrozen); // shows at once what the new rate allows
    });
    button.addEventListener("click", turn);
    place.hidden = false;
    return { everyMs: () => Number(chosen()) };
  };
})();
