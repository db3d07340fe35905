// Package salesforce keeps records in Salesforce: what is sent stands in spec.yaml. Here is
// what settings have to fulfil together.
package salesforce

import (
	_ "embed"
	"encoding/json"
	"net/url"
	"regexp"

	"weir/dataplane/destination/mapping"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind salesforce.
var Kind = mapping.Define(spec, mapping.Hooks{Check: check})

// sandbox is what the My Domain hosts of sandboxes, scratch orgs and developer orgs have.
// Source: https://help.salesforce.com/s/articleView?id=sf.domain_name_url_formats.htm
var sandbox = regexp.MustCompile(`--|\.(sandbox|scratch|develop)\.`)

func check(settings []byte) error {
	var s struct {
		InstanceURL  string `json:"instanceUrl"`
		Sandbox      bool   `json:"sandbox"`
		EventObject  string `json:"eventObject"`
		EventIDField string `json:"eventIdField"`
	}
	if err := json.Unmarshal(settings, &s); err != nil {
		return err
	}
	var problems []fault.Problem
	if u, err := url.Parse(s.InstanceURL); s.Sandbox && (err != nil || !sandbox.MatchString(u.Hostname())) {
		problems = append(problems, fault.Problem{Path: "settings.instanceUrl", Code: "no_sandbox", Text: "This is no address of a sandbox, such as https://acme--test.sandbox.my.salesforce.com. Set sandbox to false, or give the sandbox's address."})
	}
	if s.EventObject != "" && s.EventIDField == "" {
		problems = append(problems, fault.Problem{Path: "settings.eventIdField", Code: "required", Text: "Name the External ID field of " + s.EventObject + " that holds the messageId: without it, events could be written twice."})
	}
	return fault.Problems("The settings cannot be used:", problems)
}
