// Objects as they are written, after the schemas accepted them and filled in their defaults. Shapes only; the CRDs say what they mean.

export interface Metadata {
  readonly name: string
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
}

export interface WindowField {
  readonly calendar?: 'Hour' | 'Day' | 'Week' | 'Month' | 'Quarter' | 'Year'
  readonly timeZone?: string
  readonly anchorDay?: number
  readonly sliding?: string
  readonly lifetime?: object
  readonly inFlight?: object
}

export interface SelectorField {
  readonly attribute?: string
  readonly jwtClaim?: string
  readonly serviceAccount?: object
  readonly header?: string
  readonly route?: 'namespace' | 'name'
  readonly accessKey?: object
}

export interface LimitField {
  readonly name: string
  readonly unit: 'USD' | 'Tokens' | 'InputTokens' | 'OutputTokens' | 'Requests'
  readonly amount: string
  readonly window: WindowField
  readonly partitionBy?: readonly SelectorField[]
  readonly maxPartitions: number
  readonly warnAtPercent?: readonly number[]
  readonly allowUpTo?: string
}

export interface AllowDenyField {
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
}

export interface PermissionsField {
  readonly models?: AllowDenyField
  readonly providers?: AllowDenyField
  readonly endpoints?: AllowDenyField
  readonly onForbiddenModel?: 'Deny' | 'Substitute'
  readonly substitutes?: readonly string[]
}

export interface ReservationField {
  readonly inputEstimate?: 'Bytes' | 'Tokenizer' | 'Strict'
  readonly defaultMaxOutputTokens?: number
  readonly requireOutputBound?: boolean
  readonly clampToHeadroom?: boolean
  readonly minOutputTokens?: number
  readonly onShortfall?: 'Deny' | 'Substitute'
  readonly queueFor?: string
  readonly maxPerRequest?: string
  readonly onUnknownModel?: 'Deny' | 'DearestOfProvider'
  readonly onOpaqueInput?: 'Deny' | 'ReserveContextWindow'
  readonly onServerTools?: 'Deny' | 'Clamp' | 'Reserve'
  readonly onUnknownEndpoint?: 'Deny' | 'Allow'
  readonly onUnreadable?: 'Deny' | 'Allow'
  readonly onExpiry?: 'Estimate' | 'Observed'
}

export interface WasteField {
  readonly retryStorm?: { readonly afterRefusals: number }
  readonly repeatedRequest?: { readonly max: number; readonly within: string }
}

export interface LabelSelectorField {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly {
    readonly key: string
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
    readonly values?: readonly string[]
  }[]
}

export interface SteerField {
  readonly value: string
  readonly provider: string
  readonly route: { readonly namespace?: string; readonly name: string }
  readonly models?: readonly { readonly name: string; readonly as?: string }[]
}

export interface BudgetSpec {
  readonly namespaceSelector?: LabelSelectorField
  readonly targetRefs?: readonly { readonly kind: 'HTTPRoute' | 'Gateway'; readonly name: string; readonly sectionName?: string }[]
  readonly match?: {
    readonly subjects?: readonly (SelectorField & { readonly values?: readonly string[] })[]
    readonly accessKeySelector?: LabelSelectorField
    readonly models?: readonly string[]
    readonly providers?: readonly string[]
  }
  readonly limits?: readonly LimitField[]
  readonly permissions?: PermissionsField
  readonly reservation?: ReservationField
  readonly steering?: readonly SteerField[]
  readonly waste?: WasteField
  readonly enforcement?: { readonly mode?: 'Enforce' | 'Audit'; readonly onLedgerUnavailable?: 'Deny' | 'Allow' }
  readonly response?: {
    readonly statusCode?: 402 | 403 | 429
    readonly message?: string
    readonly exposeAmounts: boolean
    readonly exposeBalance: boolean
  }
}

export interface AccessKeySpec {
  readonly keyHashes: readonly string[]
  readonly subject?: { readonly user?: string; readonly team?: string; readonly attributes?: Readonly<Record<string, string>> }
  readonly disabled: boolean
  readonly expiresAt?: string
  readonly permissions?: PermissionsField
  readonly reservation?: ReservationField
  readonly waste?: WasteField
  readonly limits?: readonly LimitField[]
}

export interface RatesField {
  readonly input?: string
  readonly cachedInput?: string
  readonly cacheWrite?: string
  readonly cacheWrite1h?: string
  readonly inputAudio?: string
  readonly inputImage?: string
  readonly output?: string
  readonly reasoning?: string
  readonly outputAudio?: string
  readonly outputImage?: string
}

export interface ModelPriceListSpec {
  readonly priority: number
  readonly aliases?: readonly { readonly name: string; readonly provider: string; readonly model: string }[]
  readonly models?: readonly {
    readonly names: readonly string[]
    readonly provider: string
    readonly effectiveFrom?: string
    readonly perMillionTokens?: RatesField
    readonly tiers?: readonly { readonly aboveInputTokens: number; readonly perMillionTokens: RatesField }[]
    readonly maxOutputTokens?: number
    readonly contextWindow?: number
  }[]
}

/** An object of a file that nothing is wrong with. Namespaced ones have their namespace, the default one filled in. */
export type AcceptedObject = { readonly name: string; readonly namespace: string; readonly labels: ReadonlyMap<string, string> } & (
  | { readonly kind: 'BudgetPolicy' | 'ClusterBudgetPolicy'; readonly spec: BudgetSpec }
  | { readonly kind: 'AccessKey'; readonly spec: AccessKeySpec }
  | { readonly kind: 'ModelPriceList'; readonly spec: ModelPriceListSpec }
  | { readonly kind: 'Namespace' }
)
