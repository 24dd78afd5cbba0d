// Native check boxes, one by one (true or false) or as a named group (a list).
"use strict";
(() => {
  const caption = (el) => bb.tidy([...(el.labels ?? [])].map((label) => bb.own(label)).join(" ")) || next(el);
  const next = (el) => el.nextSibling?.nodeType === 3 ? bb.tidy(el.nextSibling.data) : "";
  const face = (el) => bb.visible(el) ? el : [...(el.labels ?? [])].find(bb.visible) ?? el;
  const flip = async (el, hand) => { await hand.click(face(el)); };
  bb.family({
    name: "checkbox", rank: 10,
    find: (pick) => pick("input").filter((el) => el.type === "checkbox").map((el) => ({ el, face: face(el), caption: caption(el) || undefined, alone: true })),
    holds: ({ el }, wanted) => el.checked === wanted.bool,
    check: ({ el }, wanted) => {
      if (wanted.bool === undefined) bb.fail("fill_value", `${wanted.label} takes True or False`, { field: wanted.label });
      if (el.disabled && el.checked !== wanted.bool) bb.fail("field_locked", `the field ${wanted.label} cannot be changed`, { field: wanted.label });
    },
    burst: ({ el }) => bb.visible(el) ? { el, key: " " } : undefined,
    async set({ el }, wanted, hand) {
      for (let i = 0; i < 3 && el.checked !== wanted.bool; i++) {
        await flip(el, hand);
        await hand.until(() => el.checked === wanted.bool, 300);
      }
    },
  });
  bb.family({
    name: "checkbox group", rank: 10,
    find: (pick) => pick("fieldset,[role=group]").map((el) => ({ el, group: true, inner: bb.all("input[type=checkbox]", el) })).filter((c) => c.inner.length > 1),
    holds: ({ inner }, wanted) => inner.every((el) => el.checked === wants(el, inner, wanted)),
    check: bb.onlyText("a group of check boxes"),
    async set({ inner }, wanted, hand) {
      for (const text of bb.list(wanted)) if (!bb.choose(options(inner), { ...wanted, text })) bb.notOffered(options(inner), { ...wanted, text });
      for (const el of inner) if (el.checked !== wants(el, inner, wanted)) await flip(el, hand);
    },
  });
  const options = (inner) => inner.map((el) => ({ el, text: caption(el), value: el.value }));
  const wants = (el, inner, wanted) => bb.list(wanted).some((text) => bb.choose(options(inner), { ...wanted, text })?.el === el);
})();
