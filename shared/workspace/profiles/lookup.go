package profiles

import (
	"fmt"
	"regexp"
	"slices"
)

// Lookup is the copy of records from which the plane answers requests about one person.
type Lookup struct {
	Features []string    `json:"features,omitempty" doc:"The features and scores that are answered; all when absent"`
	Events   int         `json:"events,omitempty" least:"1" most:"100" doc:"How many of a person's last events are answered; none when absent"`
	Keys     []LookupKey `json:"keys,omitempty" doc:"Who may ask without a capability, for servers: what 'weir profiles key' makes"`
}

// LookupKey is a key of which the configuration knows the hash alone.
type LookupKey struct {
	Name string `json:"name" doc:"Who has it; 1 to 40 of a-z, 0-9 and '_', a letter first"`
	Hash string `json:"hash" doc:"sha256: and the SHA-256 of the key in hexadecimal digits"`
}

// Limits of a lookup.
const (
	maxKeys   = 50
	maxEvents = 100
)

// hashed matches the hash of a key.
var hashed = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// lookup checks the copy.
func (k *check) lookup(l *Lookup) {
	if l == nil {
		return
	}
	k.count(".lookup.keys", len(l.Keys), 0, maxKeys)
	if l.Events < 0 || l.Events > maxEvents {
		k.add(".lookup.events", "too_large", "A lookup answers at most %d events.", maxEvents)
	}
	for i, f := range l.Features {
		if !k.has(f) {
			k.add(fmt.Sprintf(".lookup.features[%d]", i), "unknown_feature", "There is no feature %s.", f)
		}
	}
	var names, hashes []string
	for i, key := range l.Keys {
		path := fmt.Sprintf(".lookup.keys[%d]", i)
		k.name(path+".name", key.Name, 40, slices.Contains(names, key.Name))
		switch {
		case !hashed.MatchString(key.Hash):
			k.add(path+".hash", "malformed", "The hash of a key is sha256: and 64 hexadecimal digits; 'weir profiles key' prints it. The key itself does not belong into the configuration.")
		case slices.Contains(hashes, key.Hash):
			k.add(path+".hash", "duplicate_name", "Another key has this hash; make one for each who asks.")
		}
		names, hashes = append(names, key.Name), append(hashes, key.Hash)
	}
}
