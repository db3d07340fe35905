-- modify "planes" table
ALTER TABLE "planes" ADD COLUMN "conditions" text NOT NULL DEFAULT '';
