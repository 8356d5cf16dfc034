// The picture of a latent that a person moves, and its download, which carries the latent.

import { post, Problem } from "./api.js";
import { h, setText } from "./dom.js";
import { enlarged } from "./latents.js";
import { fileUrls, pngOf } from "./pixels.js";

/** @param {{alt: string, refusal: HTMLElement, signal: AbortSignal}} options `refusal` shows what the service refuses */
export function latentPicture({ alt, refusal, signal }) {
  const picture = h("img", { class: "pixels moving", alt });
  const download = h("a", { class: "button", download: "latent.png" }, "Download");
  const urls = fileUrls(signal);
  let busy = false;
  /** the newest body of POST /sample that is not yet sent @type {Record<string, any> | null} */
  let due = null;

  /** @param {Record<string, any>} body */
  async function drawOnce(body) {
    try {
      const { images } = await post("/sample", body, signal); // the PNG in JSON carries its latent
      [picture.src] = urls([pngOf(images[0])]);
      download.href = picture.src;
      setText(refusal, "");
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setText(refusal, error.message);
    }
  }

  return {
    picture,
    download,
    /**
     * Draw a latent; one request is under way at a time, and latents passed meanwhile are left out.
     * @param {import("./latents.js").Chosen} chosen @param {number[]} latent @param {number[] | null} weights of the classes
     */
    async draw({ version, asked }, latent, weights) {
      due = { model: asked.model, latents: [latent], ...(weights ? { class_weights: [weights] } : {}), scale: enlarged(version), format: "json" };
      if (busy) return;
      busy = true;
      try {
        while (due && !signal.aborted) {
          const body = due;
          due = null;
          await drawOnce(body);
        }
      } finally {
        busy = false;
      }
    },
  };
}
