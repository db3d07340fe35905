package profiles

import "weir/dataplane/warehouse"

// remedies are by codes of warehouse failures.
var remedies = map[string]string{
	warehouse.CodeAuth:        "Check user and password in its settings.",
	warehouse.CodeUnreachable: "Check host, port and firewall, and that it runs.",
	warehouse.CodeSchema:      "Give the user the right to make and change tables.",
	warehouse.CodeUnsupported: "It cannot do this: see what the docs say of its kind.",
	warehouse.CodeStage:       "Look into the plane's log, and check its disk.",
	warehouse.CodeSlow:        "Check that it is not overloaded, and that nobody locks its tables.",
}

// remedy says what to do about the code of a warehouse's failure, to people who may not read the warehouse's own text: that can
// quote values of rows.
func remedy(code string) string {
	text, known := remedies[code]
	if !known {
		text = "Check that its tables are as the configuration expects."
	}
	return text + " What it says itself may quote rows, and is shown to who may look up persons."
}
