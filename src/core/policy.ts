// Policies as the core knows them: parsed, checked, exact. What binds a call is found here; how objects are written is not known here.
import type { BudgetKey, BudgetScope, LimitVersion, Unit } from './budget.ts'
import type { ConcessionRules, Concessions } from './concessions.ts'
import type { Rates } from './price.ts'
import type { Routes } from './route-table.ts'
import type { ObjectName, Selector, Subject } from './subject.ts'
import type { WasteRules } from './waste.ts'
import type { Window, WindowSpec } from './window.ts'

/** One BudgetPolicy, ClusterBudgetPolicy, or the limits and rules of one AccessKey. */
export interface Policy {
  readonly scope: BudgetScope
  /** Empty for cluster-scoped objects. */
  readonly namespace: string
  readonly name: string
  readonly version: LimitVersion
  /** Null for policies that are not cluster-scoped. */
  readonly namespaceSelector: LabelSelector | null
  /** Routes or Gateways of its namespace; empty for all of them. */
  readonly targets: readonly TargetRef[]
  readonly match: Match
  readonly limits: readonly Limit[]
  readonly permissions: Permissions
  readonly reservation: ReservationRules
  readonly concessions: ConcessionRules
  readonly waste: WasteRules
  readonly audit: boolean
  readonly onLedgerUnavailable: 'Deny' | 'Allow'
  readonly response: ResponseRules
}

export interface LabelSelector {
  readonly matchLabels: ReadonlyMap<string, string>
  readonly matchExpressions: readonly {
    readonly key: string
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
    readonly values: readonly string[]
  }[]
}

export interface TargetRef {
  readonly kind: 'HTTPRoute' | 'Gateway'
  readonly name: string
  /** A rule of the HTTPRoute or a listener of the Gateway; null: all of them. */
  readonly section: string | null
}

/** Stanzas AND, entries OR; an empty stanza matches everything. */
export interface Match {
  readonly subjects: readonly { readonly selector: Selector; readonly values: readonly string[] }[]
  readonly accessKeyLabels: LabelSelector | null
  readonly models: readonly string[]
  readonly providers: readonly string[]
}

export interface Limit {
  readonly name: string
  readonly unit: Unit
  readonly amount: bigint
  readonly window: WindowSpec
  readonly partitionBy: readonly Selector[]
  readonly maxPartitions: number
  /** What one replica may admit by itself while the ledger is away, in the limit's unit; null: nothing. */
  readonly allowUpTo: bigint | null
}

/** Globs; deny wins over allow, and an empty allow list allows everything that is not denied. */
export interface Permissions {
  readonly models: AllowDeny
  readonly providers: AllowDeny
  readonly endpoints: AllowDeny
}

export interface AllowDeny {
  readonly allow: readonly string[]
  readonly deny: readonly string[]
}

/** Null: not said by this policy. Where several policies bind, the strictest that is said wins, else the safe default. */
export interface ReservationRules {
  readonly inputEstimate: 'Bytes' | 'Tokenizer' | 'Strict' | null
  readonly defaultMaxOutputTokens: bigint | null
  readonly requireOutputBound: boolean | null
  /** Nano-USD. */
  readonly maxPerRequest: bigint | null
  readonly onUnknownModel: 'Deny' | 'DearestOfProvider' | null
  readonly onOpaqueInput: 'Deny' | 'ReserveContextWindow' | null
  readonly onServerTools: 'Deny' | 'Clamp' | 'Reserve' | null
  readonly onUnknownEndpoint: 'Deny' | 'Allow' | null
  readonly onUnreadable: 'Deny' | 'Allow' | null
  readonly onExpiry: 'Estimate' | 'Observed' | null
}

export interface ResponseRules {
  readonly statusCode: 402 | 403 | 429 | null
  readonly message: string | null
  readonly exposeAmounts: boolean
  /** Whether answers tell what their call reserved, and what the limits have left. */
  readonly exposeBalance: boolean
}

export interface AccessKey {
  readonly namespace: string
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
  /** `sha256:` and 64 hex digits. */
  readonly keyHashes: readonly string[]
  /** `user`, `team` and the key's own attributes, in one map. */
  readonly attributes: ReadonlyMap<string, string>
  readonly disabled: boolean
  readonly expiresAtMs: number | null
}

/** A price list as declared; rates that it leaves out are null and fall back as the price book says. */
export interface PriceList {
  readonly name: string
  readonly priority: number
  readonly aliases: readonly { readonly name: string; readonly provider: string; readonly model: string }[]
  readonly models: readonly {
    readonly names: readonly string[]
    readonly provider: string
    readonly effectiveFromMs: number | null
    /** Pico-USD per token. */
    readonly rates: { readonly [Kind in keyof Rates]: bigint | null }
    readonly tiers: readonly { readonly aboveInputTokens: bigint; readonly rates: { readonly [Kind in keyof Rates]: bigint | null } }[]
    readonly maxOutputTokens: bigint | null
    readonly contextWindow: bigint | null
  }[]
}

/** A whole set, compiled and indexed. `bind` looks at the policies that could bind, never at all of them. */
export interface PolicySet {
  readonly priceLists: readonly PriceList[]
  readonly routes: Routes
  /** The key that holds this `sha256:…`, null where none does. */
  keyByHash(hash: string): AccessKey | null
  /** What binds the subject whatever it calls: empty `policies` means that nothing can. */
  bindSubject(subject: Subject): SubjectBinding
  /** Whether any policy steers calls to other routes. */
  steers(): boolean
  /** Every limit as declared, in order, for listing balances before the first call. */
  declared(): readonly DeclaredLimit[]
}

export interface SubjectBinding {
  readonly policies: readonly Policy[]
  /** The strictest rules of all `policies`, for decisions that come before the body is read. */
  readonly rules: BindingRules
  /** What binds one call of the subject; `models` are all that may answer, resolved; a limit binds if any of them matches. */
  bind(call: { readonly models: readonly string[]; readonly provider: string | null; readonly endpoint: string }): Binding
  /** The same for calls that are sent to another route: what binds there binds them besides. Namespace null: that of the subject's route. */
  at(route: { readonly namespace: string | null; readonly name: string }): SubjectBinding
  /** The same were every policy enforced; null where none of them only audits. */
  readonly asEnforced: (() => SubjectBinding) | null
}

export interface Binding {
  readonly policies: readonly Policy[]
  readonly limits: readonly BoundLimit[]
  readonly rules: BindingRules
  readonly concessions: Concessions
  /** The first permission that the call lacks, and the policy that says so. */
  readonly forbidden: { readonly what: 'model' | 'provider' | 'endpoint'; readonly name: string; readonly policy: PolicyName } | null
}

export interface PolicyName extends ObjectName {
  readonly scope: BudgetScope
}

/** The rules of several policies in one, strictest first, with the safe default where none says anything. */
export interface BindingRules {
  readonly inputEstimate: 'Bytes' | 'Tokenizer' | 'Strict'
  readonly defaultMaxOutputTokens: bigint | null
  readonly requireOutputBound: boolean
  readonly maxPerRequest: { readonly amount: bigint; readonly policy: PolicyName } | null
  readonly onUnknownModel: 'Deny' | 'DearestOfProvider'
  readonly onOpaqueInput: 'Deny' | 'ReserveContextWindow'
  readonly onServerTools: 'Deny' | 'Clamp' | 'Reserve'
  readonly onUnknownEndpoint: 'Deny' | 'Allow'
  readonly onUnreadable: 'Deny' | 'Allow'
  readonly onExpiry: 'Estimate' | 'Observed'
  readonly onLedgerUnavailable: 'Deny' | 'Allow'
}

/** One limit as it binds one call: its key, partition included, and how to say no. */
export interface BoundLimit {
  readonly key: BudgetKey
  readonly policy: PolicyName
  readonly limit: Limit
  readonly partition: readonly string[]
  readonly version: LimitVersion
  readonly hard: boolean
  readonly response: ResponseRules
  /** The window of an instant (remembered, see `windowClock`). */
  window(nowMs: number): Window
}

export interface DeclaredLimit {
  readonly policy: PolicyName
  readonly limit: Limit
  /** The key without a partition, for limits that have none. */
  readonly key: BudgetKey
  readonly version: LimitVersion
}
