// Sends the one-time link's form by itself; without a script there is its button.

for (const form of document.querySelectorAll('form[data-submit]')) form.requestSubmit();
