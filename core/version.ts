/** The version of every program of this project. */
export const VERSION = "0.1.0";
