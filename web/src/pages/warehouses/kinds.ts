// Warehouses that only add files: whoever reads the files asks them, not the plane.
const lakes = ["azure_datalake", "gcs_datalake", "iceberg", "local_datalake", "s3_datalake"];

/** The kinds of destinations that are warehouses. */
export const warehouseTypes = [
  "bq",
  "clickhouse",
  "deltalake",
  "duckdb",
  "mssql",
  "mysql",
  "postgres",
  "rs",
  "snowflake",
  ...lakes,
];

/** Whether a warehouse of this kind answers SQL. */
export const asked = (type: string) => !lakes.includes(type);
