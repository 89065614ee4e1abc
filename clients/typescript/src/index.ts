export * from "./answers.js";
export * from "./base.js";
export { flashsale } from "./commands.js";
export type * from "./commands.js";
export * from "./consume.js";
export { doctorOf } from "./doctor.js";
export * from "./ids.js";
export * from "./passes.js";
export { mayRepeat, pipeline, retry, type RetryOptions } from "./retry.js";
