// Native radio buttons: the group is the field, its choices are the captions.
"use strict";
(() => {
  const caption = (el) => bb.tidy([...(el.labels ?? [])].map((label) => bb.own(label)).join(" ")) || (el.nextSibling?.nodeType === 3 ? bb.tidy(el.nextSibling.data) : "") || el.getAttribute("aria-label") || "";
  const options = (inner) => inner.map((el) => ({ el, text: caption(el), value: el.value }));
  const face = (el) => bb.visible(el) ? el : [...(el.labels ?? [])].find(bb.visible) ?? el;
  const common = (inner) => {
    let at = inner[0].parentElement;
    while (at && !inner.every((el) => at.contains(el))) at = at.parentElement;
    return at && at.matches("label") ? at.parentElement : at ?? inner[0];
  };
  const holder = (inner) => inner[0].closest("[role=radiogroup],fieldset") ?? common(inner);
  bb.family({
    name: "radio", rank: 10,
    find: (pick) => {
      const groups = new Map();
      for (const el of pick("input").filter((el) => el.type === "radio")) {
        const key = el.name ? `${el.name}\n${[...document.forms].indexOf(el.form)}` : el;
        groups.set(key, [...(groups.get(key) ?? []), el]);
      }
      return [...groups.values()].map((inner) => ({ el: holder(inner), face: face(inner[0]), inner, group: true, caption: lead(inner) }));
    },
    holds: ({ inner }, wanted) => bb.choose(options(inner), wanted)?.el.checked === true,
    check: bb.onlyText("a choice"),
    burst: ({ inner }, wanted) => {
      const el = bb.choose(options(inner), wanted)?.el;
      return el && !el.disabled && bb.visible(el) ? { el, key: " " } : undefined;
    },
    async set({ inner }, wanted, hand) {
      const choice = bb.choose(options(inner), wanted);
      if (!choice) bb.notOffered(options(inner), wanted);
      for (let i = 0; i < 3 && !choice.el.checked; i++) {
        await hand.click(face(choice.el));
        await hand.until(() => choice.el.checked, 300);
      }
    },
  });
  // lead is the text at the head of the group: "性别 ○ 男 ○ 女".
  const lead = (inner) => {
    const box = common(inner), first = inner[0];
    const own = (first.labels ?? [])[0] ?? first;
    for (const node of box.childNodes) {
      if (node === own || node.contains(first)) return undefined;
      if (node.nodeType === 3 && bb.tidy(node.data)) return node.data;
      if (node.nodeType === 1 && bb.tidy(node.textContent) && !node.querySelector("input,select,textarea")) return node.textContent;
    }
    return undefined;
  };
})();
