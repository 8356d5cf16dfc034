// Take a picture: with the camera of this browser, or with the camera app of a phone where a page may not use it.

import { fill, h, setText } from "./dom.js";
import { encode, sheet } from "./pixels.js";

/** whether a page may ask for the camera here: only over HTTPS or on this machine */
const usable = Boolean(navigator.mediaDevices?.getUserMedia);

/** A control that takes a picture. @param {(picture: File) => void} onPicture @param {AbortSignal} signal closes the camera */
export function cameraButton(onPicture, signal) {
  if (usable) return h("button", { type: "button", onclick: () => void openCamera(onPicture, signal) }, "Take a picture");
  return phoneCamera(onPicture, "Take a picture");
}

/** @param {(picture: File) => void} onPicture @param {string} label */
function phoneCamera(onPicture, label) {
  const input = h("input", {
    type: "file", accept: "image/*", capture: "environment", class: "unseen", "aria-label": label,
    onchange: () => input.files[0] && onPicture(input.files[0]),
  });
  return h("label", { class: "button" }, label, input);
}

/** @param {(picture: File) => void} onPicture @param {AbortSignal} signal */
async function openCamera(onPicture, signal) {
  const video = h("video", { autoplay: true, muted: true, playsInline: true });
  const words = h("p", { role: "status" }, "The browser asks whether this page may use the camera.");
  const take = h("button", { type: "button", class: "main", disabled: true }, "Take it");
  const dialog = h("dialog", { "aria-label": "Take a picture" });
  const buttons = h("div", { class: "row end" }, h("button", { type: "button", onclick: () => dialog.close() }, "Close"), take);
  fill(dialog, h("div", { class: "stack" }, h("h2", {}, "Take a picture"), words, video, buttons));
  document.body.append(dialog);
  dialog.showModal();
  signal.addEventListener("abort", () => dialog.close());
  /** @type {MediaStream | undefined} */
  let stream;
  dialog.addEventListener("close", () => {
    stream?.getTracks().forEach((track) => track.stop());
    dialog.remove();
  });
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    if (!dialog.isConnected) return stream.getTracks().forEach((track) => track.stop());
    video.srcObject = stream;
    await video.play();
    setText(words, "");
    take.disabled = false;
    take.focus();
    take.addEventListener("click", () => void capture(video).then((picture) => {
      dialog.close();
      onPicture(picture);
    }));
  } catch {
    setText(words, "The camera gives no picture: none is connected, another program has it, or this page may not use it. Choose a picture instead.");
    video.remove();
    buttons.prepend(phoneCamera((picture) => {
      dialog.close();
      onPicture(picture);
    }, "Choose a picture"));
  }
}

/** @param {HTMLVideoElement} video @returns {Promise<File>} */
async function capture(video) {
  const { canvas, context } = sheet(video.videoWidth, video.videoHeight);
  context.drawImage(video, 0, 0);
  return new File([await encode(canvas)], "camera.png", { type: "image/png" });
}
