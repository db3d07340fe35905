-- modify "sessions" table
ALTER TABLE "sessions" ADD COLUMN "started_at" timestamptz NULL;
