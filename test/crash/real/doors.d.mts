type Names = Readonly<Record<string, readonly string[]>>
export const points: Names & { readonly FileHandle: readonly string[] }
export const harmless: Names & { readonly FileHandle: readonly string[] }
export const network: readonly string[]
