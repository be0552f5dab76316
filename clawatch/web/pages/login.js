"use strict";

const state = document.getElementById("state");

function refuse(words) {
  state.textContent = words;
  document.getElementById("remedy").hidden = false;
}

async function logIn(code) {
  // The code must not stay in the address bar or the history.
  history.replaceState(null, "", "/login");
  const answer = await fetch("/api/auth/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code }),
  });
  if (answer.ok) {
    location.replace("/");
    return;
  }
  const { error } = await answer.json();
  refuse(`${error}.`);
}

function begin() {
  const code = location.hash.slice(1);
  if (!code) {
    refuse("This page needs a login link.");
    return;
  }
  state.textContent = "Logging in …";
  document.getElementById("remedy").hidden = true;
  logIn(code).catch(() => {
    state.textContent = "ClaWatch did not answer. Is it running?";
  });
}

// A link pasted over this page's address changes what is behind the # and loads nothing.
addEventListener("hashchange", begin);
begin();
