// Package approval is what a control plane says of a commit that needs another person.
package approval

// Need is why it does.
type Need struct {
	Policy string `json:"policy"`
	Text   string `json:"text"`
}

// Request is the change request that the commit became, by its number.
type Request struct {
	Change uint64 `json:"change"`
	Needs  []Need `json:"needs"`
}
