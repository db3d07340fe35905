package bucket

import (
	"weir/shared/fault"
	"weir/shared/secret"
)

// CheckKeys returns what is wrong with the secrets accessKey and secretKey of settings: both are
// required, and neither is allowed where the plane signs in as its machine.
func CheckKeys(machineRole bool, accessKey, secretKey secret.String) (all []fault.Problem) {
	for _, s := range []struct {
		name  string
		value secret.String
	}{{"accessKey", accessKey}, {"secretKey", secretKey}} {
		switch given := s.value.Reveal() != ""; {
		case !machineRole && !given:
			all = append(all, fault.Problem{Path: "secrets." + s.name, Code: "required", Text: "Give the secret " + s.name + ", or set machineRole where the plane's owner allows it."})
		case machineRole && given:
			all = append(all, fault.Problem{Path: "secrets." + s.name, Code: "not_allowed", Text: "With machineRole the plane signs in as its machine: leave " + s.name + " out, or machineRole."})
		}
	}
	return all
}
