// A live part that gets shorter keeps its room, so that what is below it stays where the reader's eyes and pointer are.
// The room is given up when nobody looks, when the window changes, and when the reader opens or closes something.
(() => {
  "use strict";
  const rules = new CSSStyleSheet(); // survives the morphing, which takes a style of the element itself away
  const heights = new Map();
  document.adoptedStyleSheets.push(rules);

  const write = () => {
    const rule = ([id, px]) => {
      const name = `#${CSS.escape(id)}`;
      return `${name} { min-block-size: ${px}px } ${name}[hidden] { display: block !important; visibility: hidden }`;
    };
    rules.replaceSync([...heights].map(rule).join("\n"));
  };

  const giveUp = () => {
    if (!heights.size) return;
    heights.clear();
    write();
  };

  window.pomniRoom = {
    // Before they change: the parts with these ids will be at least as high as they are.
    keep: (ids) => {
      let news = false;
      for (const id of ids) {
        const px = document.getElementById(id)?.getBoundingClientRect().height;
        if (!px || heights.get(id) === px) continue;
        heights.set(id, px);
        news = true;
      }
      if (news) write();
    },
  };

  document.addEventListener("visibilitychange", () => { if (document.hidden) giveUp(); });
  document.addEventListener("toggle", giveUp, true);
  window.addEventListener("resize", giveUp);
})();
