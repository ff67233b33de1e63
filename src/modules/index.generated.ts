// Made by `npm run gen` from the files of this folder.
import type { Module } from '../core/module.ts'


export const modules: readonly Module[] = [

]
