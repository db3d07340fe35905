package profiles

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/shared/capability"
	"weir/shared/command"
)

// parts are what can be asked of a person.
var parts = []string{"traits", "identifiers", "events", "audiences"}

func newGet(shell *console.Console) *cobra.Command {
	k := &invocation{Console: shell}
	part := parts[0]
	cmd := k.flags(&cobra.Command{
		Use: "get TYPE:VALUE", Short: "Show what is known of one person", Args: cobra.ExactArgs(1),
		Long: `Answers from the copy of the records that the plane keeps where the profiles have a
lookup, as a server is answered at GET /v1/profiles/TYPE:VALUE/traits of the plane's view.
ageSeconds says how old the copy is.`,
		Example: "  weir profiles get email:ann@example.org\n  weir profiles get user_id:u1 --part events",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(parts, part) {
				return command.Usage("--part is one of %s", strings.Join(parts, ", "))
			}
			view, w, err := k.view(cmd.Context(), capability.LookupProfiles)
			if err != nil {
				return err
			}
			q := url.Values{}
			for name, value := range map[string]string{"profiles": k.profile, "entity": k.entity} {
				if value != "" {
					q.Set(name, value)
				}
			}
			var answer json.RawMessage
			if err := view.Ask(cmd.Context(), http.MethodGet, "/v1/profiles/"+url.PathEscape(args[0])+"/"+part+"?"+q.Encode(), nil, &answer); err != nil {
				return fmt.Errorf("ask for a person of workspace %s: %w", w.Name, err)
			}
			return k.answer(answer, nil)
		},
	})
	cmd.Flags().StringVar(&part, "part", part, "what of the person: "+strings.Join(parts, ", "))
	return cmd
}

func newKey(shell *console.Console) *cobra.Command {
	return &cobra.Command{
		Use: "key NAME", Short: "Make a key with which a server asks for persons", Args: cobra.ExactArgs(1),
		Long: `Makes a key on this machine and prints it, this once, with the line for the profiles'
lookup in the configuration, which holds the key's hash alone. The key is good once that
is applied, and until the line is removed.`,
		Example: "  weir profiles key shop",
		RunE: func(_ *cobra.Command, args []string) error {
			if !names.MatchString(args[0]) {
				return command.Usage("a key's name is 1 to 40 of a-z, 0-9 and '_', a letter first")
			}
			key := "weirlookup_" + rand.Text() + rand.Text()
			sum := sha256.Sum256([]byte(key))
			hash := "sha256:" + hex.EncodeToString(sum[:])
			if shell.Output != console.AsTable {
				return shell.Print(map[string]string{"name": args[0], "key": key, "hash": hash})
			}
			shell.Say("%s", key)
			shell.Note("weir: add to the profiles' lookup, and apply:\n  keys: [{ name: %s, hash: %q }]", args[0], hash)
			return nil
		},
	}
}
