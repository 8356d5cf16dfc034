// States of a job, as the service names them.

/** states that a job never leaves */
export const ENDED = ["succeeded", "failed", "cancelled"];
