import { read } from "../../api.js";

/** Waits for an admin's write. If another account has the licence, the failure that it throws names that account. */
export async function namingHolder(written) {
  try {
    return await written;
  } catch (failure) {
    if (failure.type === "LICENSE_TAKEN" && failure.said.accountId) {
      const { user } = await read(`/users/${failure.said.accountId}`);
      failure.message = `The active account of ${user.fullName}, ${user.email}, has the same licence.`;
    }
    throw failure;
  }
}
