/**
 * The facts that cross from Python to the page, by name. Their shapes are the server's own: `script/wire` makes
 * `wire.d.ts` of its schema, whose words say what each holds.
 */
import type { components } from "./wire";

type Schemas = components["schemas"];

/** A number that JSON can't hold travels as its name. */
export type Num = number | "NaN" | "Infinity" | "-Infinity";
export type RunState = RunFact["state"];

export type SaidFact = Schemas["SaidFact"];
export type ModelFact = Schemas["ModelFact"];
export type RecipeFact = Schemas["RecipeFact"];
export type FieldFact = Schemas["FieldFact"];
export type LayerFact = Schemas["LayerFact"];
export type InputFact = Schemas["InputFact"];
export type NetworkFact = Schemas["NetworkFact"];
export type PictureFact = Schemas["PictureFact"];
export type LimitsFact = Schemas["LimitsFact"];
export type SessionFact = Schemas["SessionFact"];
export type MapFact = Schemas["MapFact"];
export type ScoreFact = Schemas["ScoreFact"];
export type PredictionFact = Schemas["PredictionFact"];
export type ProblemFact = Schemas["ProblemFact"];
export type RunFact = Schemas["RunFact"];
/** `near`: counted in values that aren't the framework's own, as a file may have to carry them. */
export type ChannelsFact = Schemas["ChannelsFact"] & { near?: boolean };
export type KernelsFact = Schemas["KernelsFact"];
export type GroupFact = Schemas["GroupFact"];
export type TermFact = Schemas["TermFact"];
export type StepFact = Schemas["StepFact"];
export type ExplanationFact = Schemas["ExplanationFact"];
export type PictureValueFact = Schemas["PictureValueFact"];
export type BoxFact = Schemas["BoxFact"];
export type DerivationLineFact = Schemas["DerivationLineFact"];
export type DerivationFact = Schemas["DerivationFact"];
export type EffectiveFact = Schemas["EffectiveFact"];
