// As the old counter pages do: upper case while typing, and a check before sending.
const number = document.getElementById('idNumber');
number.addEventListener('input', () => { number.value = number.value.toUpperCase(); });
