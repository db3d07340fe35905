// Command generate writes store/ent from store/schema. Run it in the folder
// controlplane. It is ent's library, not ent's command line, because that one
// does not compile with the newer tablewriter that OPA needs.
package main

import (
	"fmt"
	"os"

	"entgo.io/ent/entc"
	"entgo.io/ent/entc/gen"
)

func main() {
	err := entc.Generate("./store/schema", &gen.Config{
		Target:  "store/ent",
		Package: "weir/controlplane/store/ent",
	}, entc.FeatureNames("sql/versioned-migration", "sql/upsert", "sql/lock"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}
