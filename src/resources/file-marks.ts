// What a file has besides mode, owner and content: attributes of chattr(1), a context of SELinux, a time of access.
import { problem } from '../core/error.ts'

/** Of an SELinux context. `_default`: as the policy has it. */
export type ContextParts = {
  readonly user?: string | undefined
  readonly role?: string | undefined
  readonly type?: string | undefined
  readonly level?: string | undefined
}
/** As a state holds them: letters of lsattr(1), sorted, and user:role:type:level. Absent: not asked for, or not there. */
export type Marks = {
  readonly flags?: string | undefined
  readonly context?: string | undefined
  /** Seconds since 1970. It is set but never compared with the target's: every reading changes it. */
  readonly accessedAt?: number | undefined
}
/** What is asked for, and what something new gets. */
export type MarkTerms = {
  /** As for chattr(1): `+i`, `-i`, `=Ai` or `Ai`. */
  readonly flags?: string | undefined
  readonly context?: ContextParts | undefined
  readonly freshContext?: string | undefined
  /** States hold `accessedAt`. */
  readonly isAccessed?: boolean | undefined
}

/** Of the values of the script. */
export function parseMarks(values: Readonly<Record<string, string>>, terms: MarkTerms): Marks {
  const { flags, context, atime } = values
  return {
    ...(terms.isAccessed && atime !== undefined ? { accessedAt: Number(atime) } : {}),
    ...(terms.flags === undefined || flags === undefined ? {} : { flags: [...flags].sort().join('') }),
    ...(terms.context === undefined || context === undefined ? {} : { context }),
  }
}

/** The attributes and the context that are to be there where `now` is. Throws E_TASK for what the host or its file system does not keep. */
export function wantMarks(path: string, terms: MarkTerms, now: Marks): Omit<Marks, 'accessedAt'> {
  const { flags, context, freshContext } = terms
  return {
    ...(flags === undefined ? {} : { flags: wantFlags(path, flags, now.flags) }),
    ...(context === undefined ? {} : { context: wantContext(path, context, now.context, freshContext) }),
  }
}

function wantFlags(path: string, asked: string, now: string | undefined): string {
  if (now === undefined)
    throw problem('E_TASK', `chattr failed: ${path} is on a file system that keeps no attributes`, {
      hint: 'leave out attributes; they need lsattr and chattr on the host, and a file system like ext4, xfs or btrfs',
    })
  const [, sign, letters = ''] = /^([-+=]?)(.*)$/.exec(asked)!
  const kept =
    sign === '+' ? now : sign === '-' ? now.replace(new RegExp(`[${letters || '-'}]`, 'g'), '') : ''
  return [...new Set(sign === '-' ? kept : kept + letters)].sort().join('')
}

function wantContext(path: string, asked: ContextParts, now: string | undefined, fresh: string | undefined) {
  const [held, policy] = [now ?? fresh, fresh ?? now].map(parseContext)
  if (held === undefined || policy === undefined)
    throw problem('E_TASK', `${path} has no SELinux context: this host does not run SELinux`, {
      hint: "leave out seuser, serole, setype and selevel here, or give them `when: ansible_selinux.status == 'enabled'`",
    })
  const names = ['user', 'role', 'type', 'level'] as const
  const parts = names.map(name => (asked[name] === '_default' ? policy[name] : (asked[name] ?? held[name])))
  return parts.filter(part => part !== undefined).join(':')
}

/** A level may hold colons of its own. */
function parseContext(text: string | undefined): ContextParts | undefined {
  if (text === undefined) return undefined
  const [, user, role, type, level] = /^([^:]*):([^:]*):([^:]*)(?::(.*))?$/s.exec(text) ?? []
  return { user, role, type, level }
}
