// Shared behaviour: file drop with a picture of what was dropped, one submit per press, Esc closes, and a
// notice while live updates are interrupted. Pages work without it.

function showFile(drop) {
  const file = drop.querySelector('input[type=file]').files[0];
  const name = drop.querySelector('.name');
  const old = drop.querySelector('img');
  if (old) {
    URL.revokeObjectURL(old.src);
    old.remove();
  }
  if (!file) return;
  name.textContent = file.name;
  const ask = drop.querySelector('[data-again]');
  if (ask) ask.textContent = ask.dataset.again;
  if (!file.type.startsWith('image/')) return;
  const picture = document.createElement('img');
  picture.alt = '';
  picture.src = URL.createObjectURL(file);
  picture.addEventListener('error', () => picture.remove());
  drop.prepend(picture);
}

for (const drop of document.querySelectorAll('.drop')) {
  const input = drop.querySelector('input[type=file]');
  input.addEventListener('change', () => showFile(drop));
  for (const kind of ['dragenter', 'dragover']) {
    drop.addEventListener(kind, event => { event.preventDefault(); drop.classList.add('over'); });
  }
  for (const kind of ['dragleave', 'drop']) {
    drop.addEventListener(kind, () => drop.classList.remove('over'));
  }
  drop.addEventListener('drop', event => {
    event.preventDefault();
    if (event.dataTransfer.files.length !== 1) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
  });
  showFile(drop);
}

// A file dropped beside the field must not replace the page.
for (const kind of ['dragover', 'drop']) {
  window.addEventListener(kind, event => event.preventDefault());
}

// What was marked as wrong is being mended: the mark goes, the server judges again.
function mended(event) {
  const field = event.target.closest('.field');
  if (!field) return;
  for (const error of field.querySelectorAll('.error')) error.hidden = true;
  for (const marked of field.querySelectorAll('[aria-invalid]')) marked.removeAttribute('aria-invalid');
  for (const marked of field.querySelectorAll('[data-invalid]')) delete marked.dataset.invalid;
}
document.addEventListener('input', mended);
document.addEventListener('change', mended);
document.querySelector('[aria-invalid="true"]')?.focus();

document.addEventListener('submit', event => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  if (event.defaultPrevented || form.hasAttribute('hx-post')) return;
  form.dataset.sent = 'yes';
  for (const button of form.querySelectorAll('button')) button.setAttribute('aria-disabled', 'true');
});

// The page came back from the history: it may be sent again.
window.addEventListener('pageshow', event => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll('form[data-sent]')) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll('button')) button.removeAttribute('aria-disabled');
  }
});

document.addEventListener('keydown', event => {
  if (event.key !== 'Escape') return;
  for (const open of document.querySelectorAll('details[open]')) open.open = false;
});

const lost = document.getElementById('connection-lost');
document.addEventListener('htmx:sse:error', () => { lost.hidden = false; });
document.addEventListener('htmx:sse:after:connection', () => { lost.hidden = true; });
document.addEventListener('htmx:sse:after:message', () => { lost.hidden = true; });
