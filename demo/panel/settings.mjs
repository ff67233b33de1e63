// All of the panel's settings come from its environment, read once: a new secret counts after a restart, as in most applications.
import { createHash } from 'node:crypto'

const needed = ['DATABASE_URL', 'JWT_SECRET', 'JWT_REFRESH_SECRET', 'ADMIN_EMAIL', 'ADMIN_PASSWORD']

/** Throws naming every variable that is missing; never shows a value. */
export function readSettings(env = process.env) {
  const missing = needed.filter(name => !env[name])
  if (missing.length > 0) throw new Error(`missing in the environment: ${missing.join(', ')}`)
  return {
    host: env.HOST || '127.0.0.1',
    port: Number(env.PORT || 3000),
    databaseUrl: env.DATABASE_URL,
    jwtSecret: env.JWT_SECRET,
    // Tokens that were signed with it are taken too, as long as it is there.
    jwtSecretPrevious: env.JWT_SECRET_PREVIOUS,
    jwtRefreshSecret: env.JWT_REFRESH_SECRET,
    adminEmail: env.ADMIN_EMAIL,
    adminPassword: env.ADMIN_PASSWORD,
    webhookKeys: {
      paystack: { current: env.PAYSTACK_SECRET, previous: env.PAYSTACK_SECRET_PREVIOUS },
      flutterwave: {
        current: env.FLUTTERWAVE_WEBHOOK_HASH,
        previous: env.FLUTTERWAVE_WEBHOOK_HASH_PREVIOUS,
      },
    },
    proxmox: env.PROXMOX_URL && {
      url: env.PROXMOX_URL,
      tokenId: env.PROXMOX_TOKEN_ID,
      tokenSecret: env.PROXMOX_TOKEN_SECRET,
      fingerprint: env.PROXMOX_FINGERPRINT,
    },
    broken: isBroken(env),
  }
}

/**
 * The practice fault: with PANEL_FAULT_UNLESS_JWT set to the first 16 hex digits of a JWT_SECRET's SHA-256, the panel
 * answers 500 when it runs with any other one. So a rotation breaks it and only going back mends it.
 */
function isBroken(env) {
  const expected = env.PANEL_FAULT_UNLESS_JWT
  if (!expected) return false
  return createHash('sha256').update(env.JWT_SECRET).digest('hex').slice(0, 16) !== expected
}
