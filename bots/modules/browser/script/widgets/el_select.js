// Element Plus el-select. Setting its input reads back as wanted while the model
// stays empty, so it is opened and pressed, and each choice is looked at again.
"use strict";
(() => {
  const input = (el) => el.querySelector("input[role=combobox]") ?? el.querySelector("input");
  const list = (el) => {
    const id = input(el)?.getAttribute("aria-controls");
    const box = id ? document.getElementById(id) : null;
    return box && bb.visible(box) ? box : null;
  };
  const options = (el) => [...(list(el)?.querySelectorAll(".el-select-dropdown__item") ?? [])]
    .filter((li) => bb.visible(li) && !li.classList.contains("is-disabled")).map((li) => ({ li, text: bb.tidy(li.textContent) }));
  const read = (el) => {
    const tags = [...el.querySelectorAll(".el-select__tags-text")].map((tag) => bb.tidy(tag.textContent));
    if (tags.length) return tags;
    const face = el.querySelector(".el-select__placeholder");
    if (face) return face.classList.contains("is-transparent") ? [] : [bb.tidy(face.textContent)];
    const old = input(el)?.value; // older versions show the choice in the input
    return old ? [old] : [];
  };
  const names = (wanted) => bb.list(wanted).map((text) => bb.any(text === wanted.text ? wanted : { ...wanted, text, also: [] }));
  const holds = ({ el }, wanted) => {
    const has = read(el).map(bb.norm), want = names(wanted);
    return has.length === want.length && want.every((any) => any.some((name) => has.includes(name)));
  };
  const searches = (el) => document.activeElement === input(el) && !input(el).readOnly; // nothing to show before it is typed into
  const open = async (el, hand) => {
    for (let i = 0; i < 3; i++) {
      if (list(el)) return;
      await hand.click(el.querySelector(".el-select__wrapper") ?? el);
      if (await hand.until(() => list(el), 600) || searches(el)) return;
    }
    bb.fail("fill_mismatch", "the list of choices does not open");
  };
  const close = async (el, hand) => {
    if (!list(el)) return;
    await hand.key("Escape");
    if (!await hand.until(() => !list(el), 600)) await hand.click(el.querySelector(".el-select__wrapper") ?? el);
  };
  const press = async (el, wanted, hand) => {
    const choice = await hand.until(() => bb.choose(options(el), wanted), 1000) ?? await search(el, wanted, hand);
    if (!choice) {
      const offered = options(el);
      await close(el, hand);
      bb.notOffered(offered, wanted);
    }
    await hand.click(choice.li);
  };
  const search = async (el, wanted, hand) => { // choices fetched by typing
    if (!input(el) || input(el).readOnly) return undefined;
    await hand.text(wanted);
    return hand.until(() => bb.choose(options(el), wanted), 2000);
  };
  const single = async (control, wanted, hand) => {
    for (let i = 0; i < 3 && !holds(control, wanted); i++) {
      await open(control.el, hand);
      await press(control.el, wanted, hand);
      await hand.until(() => holds(control, wanted), 600);
    }
  };
  const many = async (control, wanted, hand) => {
    await open(control.el, hand);
    for (const { li, text } of options(control.el)) {
      const want = names(wanted).some((any) => any.includes(bb.norm(text)));
      for (let i = 0; i < 3 && li.classList.contains("is-selected") !== want; i++) {
        await hand.click(li);
        await hand.until(() => li.classList.contains("is-selected") === want, 400);
      }
    }
    const offered = options(control.el);
    await close(control.el, hand);
    for (const text of bb.list(wanted)) if (!bb.choose(offered, { ...wanted, text })) bb.notOffered(offered, { ...wanted, text });
  };
  bb.family({
    name: "el-select", rank: 0,
    style: ".el-popper,[class*=el-zoom-in-],[class*=el-fade-in]{transition:none!important;animation:none!important}",
    find: (pick) => pick(".el-select").map((el) => ({ el, inner: [input(el)].filter(Boolean) })),
    holds,
    check: ({ el }, wanted) => {
      bb.onlyText("a select")(null, wanted);
      if (el.querySelector(".is-disabled") && !holds({ el }, wanted)) bb.fail("field_locked", `the field ${wanted.label} cannot be changed`, { field: wanted.label });
    },
    async set(control, wanted, hand) {
      if (wanted.list) await many(control, wanted, hand); else await single(control, wanted, hand);
    },
  });
})();
