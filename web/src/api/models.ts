import { query, type Rows } from "./warehouse";

/** Some rows of what a model is made of, from the plane of its warehouse. */
export async function sampleRows(workspace: string, warehouse: string, from: string, most: number): Promise<Rows> {
  const { rows } = await query(workspace, warehouse, `select * from ${from} as m limit ${most}`, most + 1);
  return { rows, ending: "" };
}
