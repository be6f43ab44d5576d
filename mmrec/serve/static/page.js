'use strict';

const $ = id => document.getElementById(id);
const picks = new Map(); // item -> title
const LENGTH = 12;

// text stays text: titles are somebody's data
function el(tag, props, ...kids) {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...kids.filter(k => k));
  return e;
}

async function api(path, body) {
  const head = {};
  const secret = sessionStorage.getItem('token');
  if (secret) head.Authorization = 'Bearer ' + secret;
  if (body && !(body instanceof FormData)) {
    head['Content-Type'] = 'application/json';
    body = JSON.stringify(body);
  }
  const r = await fetch(path, {method: body ? 'POST' : 'GET', headers: head, body});
  if (r.status === 401) {
    $('token').hidden = false;
    $('ways').hidden = true; // nothing is answered before that
    $('secret').focus();
    throw new Error(secret ? 'That token is not the right one' : 'Type the token first');
  }
  if (!r.ok) {
    const said = (await r.json().catch(() => ({}))).detail;
    throw Object.assign(new Error(said || 'error ' + r.status), {status: r.status});
  }
  return r;
}

// media behind a token cannot be named in src
async function fill(node, address) {
  if (!sessionStorage.getItem('token')) node.src = address;
  else node.src = URL.createObjectURL(await (await api(address)).blob());
}

function say(text, bad) {
  $('status').textContent = text;
  $('status').className = bad ? 'bad' : '';
}

function picture(c) {
  const address = c.media.image || c.media.video;
  if (!address) {
    const initial = c.title.slice(0, 1).toUpperCase();
    return el('div', {className: 'pic', ariaHidden: 'true'}, initial);
  }
  const img = el('img', {className: 'pic', alt: '', loading: 'lazy'});
  fill(img, address);
  return img;
}

function sound(c) {
  if (!c.media.audio) return null;
  const label = 'sound of ' + c.title;
  const audio = el('audio', {controls: true, preload: 'none', ariaLabel: label});
  fill(audio, c.media.audio);
  return audio;
}

function card(c) {
  const why = c.because && el('p', {className: 'why'},
    'because of ' + c.because.title + ' (' + c.because.how + ')');
  const pick = el('button', {type: 'button', ariaLabel: 'Pick ' + c.title, onclick: () => {
    picks.delete(c.item) || picks.set(c.item, c.title);
    chips();
  }}, 'Pick');
  pick.dataset.item = c.item;
  const more = el('button', {type: 'button', ariaLabel: 'Similar to ' + c.title, onclick: () =>
    run('Like ' + c.title, () => api('similar', {item: c.item, k: LENGTH}))}, 'Similar');
  return el('li', {}, picture(c), el('div', {className: 'in'},
    el('h3', {}, c.title), c.text && c.text !== c.title && el('p', {}, c.text), why, sound(c),
    el('div', {className: 'do'}, pick, more)));
}

function chip([id, title]) {
  return el('button', {type: 'button', className: 'chip', ariaLabel: 'Remove ' + title,
    onclick: () => {
      picks.delete(id);
      chips();
    }}, title + ' ×');
}

function chips() {
  $('forme').disabled = !picks.size;
  $('chips').replaceChildren(...[...picks].map(chip));
  if (!picks.size) $('chips').textContent = 'Press Pick on items you like.';
  for (const b of document.querySelectorAll('[data-item]')) {
    const on = picks.has(b.dataset.item);
    b.textContent = on ? 'Picked' : 'Pick';
    b.ariaPressed = on;
  }
}

async function run(what, call) {
  say(what + ' …');
  // on a phone the list is far below what was pressed
  if (matchMedia('(max-width: 480px)').matches && call !== popular) $('status').scrollIntoView();
  try {
    const answer = await (await call()).json();
    const found = answer.items;
    if ('text' in answer) what = answer.text ? 'Heard “' + answer.text + '”' : 'Nobody spoke';
    $('cards').replaceChildren(...found.map(card));
    chips();
    say(found.length ? what + ': ' + found.length + ' items' : what + ': nothing found');
  } catch (e) {
    say(e.message, true);
  }
}

const popular = () => api('recommend', {clicks: [], k: LENGTH});
const start = () => run('Popular now', popular);

async function names() {
  try {
    const query = encodeURIComponent($('user').value);
    const users = await (await api('users?limit=200&query=' + query)).json();
    $('users').replaceChildren(...users.map(u => el('option', {value: u.id})));
  } catch (e) {
    if (e.status === 403) $('who').hidden = true; // here it is told to nobody who the users are
    else say(e.message, true);
  }
}

function find(file) {
  const body = new FormData();
  const text = $('say').value.trim();
  if (!text && !file) return say('Type a sentence or choose a file first', true);
  body.set('k', LENGTH);
  if (text) body.set('text', text);
  const moves = file && file.type === 'image/gif' && $('file').dataset.video === 'true';
  if (file) body.set(moves ? 'video' : file.type.split('/')[0], file);
  const what = [text && '“' + text + '”', file?.name].filter(Boolean).join(' and ');
  run('Near ' + what, () => api('search', body));
}

function hear(sound) {
  if (!sound) return say('Speak or choose a recording first', true);
  const body = new FormData();
  body.set('k', LENGTH);
  body.set('then', $('then').value);
  body.set('sound', sound, sound.name || 'spoken');
  if ($('then').value === 'recommend') {
    const user = $('user').value.trim();
    if (user) body.set('user', user);
    for (const id of picks.keys()) body.append('clicks', id);
  }
  run('Listening', () => api('speech', body));
}

let recorder = null;

async function speak() {
  if (recorder) return recorder.stop();
  try {
    const stream = await navigator.mediaDevices.getUserMedia({audio: true});
    const mine = new MediaRecorder(stream);
    recorder = mine;
    const parts = [];
    mine.ondataavailable = e => parts.push(e.data);
    mine.onstop = () => {
      for (const track of stream.getTracks()) track.stop();
      recorder = null;
      $('mic').textContent = 'Speak';
      hear(new Blob(parts, {type: mine.mimeType}));
    };
    mine.start();
    $('mic').textContent = 'Stop';
    setTimeout(() => mine.state === 'recording' && mine.stop(), 30000);
  } catch (e) {
    recorder = null;
    say('No microphone: ' + e.message, true);
  }
}

$('mic').hidden = !navigator.mediaDevices || !window.MediaRecorder; // only on a safe connection
$('mic').onclick = speak;

$('speech').onsubmit = e => {
  e.preventDefault();
  hear($('voice').files[0]);
};

$('user').oninput = () => {
  clearTimeout(names.soon);
  names.soon = setTimeout(names, 200);
};

$('who').onsubmit = e => {
  e.preventDefault();
  const user = $('user').value.trim();
  if (!user) return say('Type or pick a user first', true);
  run('For ' + user, () => api('recommend', {user, k: LENGTH}));
};

$('mine').onsubmit = e => {
  e.preventDefault();
  run('From your picks', () => api('recommend', {clicks: [...picks.keys()], k: LENGTH}));
};

$('show').onsubmit = e => {
  e.preventDefault();
  find($('file').files[0]);
};

$('token').onsubmit = e => {
  e.preventDefault();
  sessionStorage.setItem('token', $('secret').value);
  $('token').hidden = true;
  $('ways').hidden = false;
  start();
  names();
};

for (const [kind, over] of [['dragover', true], ['dragleave', false], ['drop', false]]) {
  $('drop').addEventListener(kind, e => {
    e.preventDefault();
    $('drop').classList.toggle('over', over);
    if (kind === 'drop' && e.dataTransfer.files.length) {
      $('file').files = e.dataTransfer.files;
      find(e.dataTransfer.files[0]);
    }
  });
}

start();
names();
