// A client as an app would write it. It is never run: it must compile against the generated types,
// and its mistakes, marked as expected, must not.
import createClient from "openapi-fetch";
import type { components, paths } from "./api";

type Decision = components["schemas"]["Decision"];
type Report = components["schemas"]["NewSymptomReport"];

const api = createClient<paths>({ baseUrl: "https://footing.example.org" });

export async function enrol(): Promise<string> {
  const { data, error } = await api.POST("/v1/participants", {
    body: {
      time_zone: "Europe/Madrid",
      language: "es",
      consent: { version: "2026-11-22", storage: true, research: false },
    },
  });
  if (error) throw new Error(`${error.code}: ${error.errors[0]?.pointer}`);
  return data.device_token;
}

export async function dosage(): Promise<number | undefined> {
  const { data } = await api.GET("/v1/exercises/{item_id}", {
    params: { path: { item_id: "toe-curls" }, query: { lang: "es" } },
  });
  // @ts-expect-error  a dosage may have no figure for a side
  data?.dosage.seconds_per_side.max;
  return data?.dosage.seconds_per_side?.max;
}

export async function report(token: string, body: Report): Promise<Decision | undefined> {
  const { data } = await api.POST("/v1/symptom-reports", {
    headers: { Authorization: `Bearer ${token}` },
    body,
  });
  return data?.decision;
}

export function mustStop(decision: Decision): boolean {
  // @ts-expect-error  there is no such level
  if (decision.level === "mild") return false;
  // @ts-expect-error  there is no such field
  if (decision.urgency) return true;
  return decision.level === "emergency" || decision.activities.status === "stop";
}

// @ts-expect-error  a report needs an id and its times
export const incomplete: Report = { pain_score: 4 };
