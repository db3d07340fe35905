// Package googleanalytics4 sends events to Google Analytics 4 by its Measurement
// Protocol.
//
// A track call is an event, under Google's name for it where there is one, such as
// purchase for Order Completed; otherwise its name in snake case. A page call is
// page_view, a screen call screen, a group call join_group. Traits are user properties;
// an identify call is an event identify that carries them. Traits that say who a person
// is are never sent: Google forbids it.
//
// Google answers 204 also to what it cannot use: the limits of its pages are kept here.
// It does not recognise an event that it had before, but for the transaction_id of a
// purchase.
//
// Sources: https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference,
// https://developers.google.com/analytics/devguides/collection/protocol/ga4/sending-events,
// https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference/events,
// https://developers.google.com/analytics/devguides/collection/protocol/ga4/validating-events
package googleanalytics4

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/body"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind google-analytics-4.
var Kind = destination.Define(spec, New)

type ga4 struct {
	url      string
	settings Settings
}

// New wants exactly one stream.
func New(s Settings) (destination.Destination, error) {
	if (s.MeasurementID == "") == (s.FirebaseAppID == "") {
		return nil, fault.Problems("The settings name no stream, or two.", []fault.Problem{{
			Path: "settings.measurementId", Code: "required", Text: "Give the measurementId of a web stream, or the firebaseAppId of an app stream.",
		}})
	}
	address := s.Base + "/mp/collect"
	if s.Debug {
		address = s.Base + "/debug/mp/collect"
	}
	stream := url.Values{"measurement_id": {s.MeasurementID}}
	if s.FirebaseAppID != "" {
		stream = url.Values{"firebase_app_id": {s.FirebaseAppID}}
	}
	return &ga4{url: address + "?" + stream.Encode(), settings: s}, nil
}

// What a request and an event may have.
const (
	maxEvents  = 25
	maxParams  = 25
	maxBacklog = 72 * time.Hour
)

// request is a request that is being written: the events of one client.
type request struct {
	body.Writer
	items []int
}

// Build makes a request of the events of one client with the same user properties,
// place and device.
func (g *ga4) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	var verdicts []destination.Verdict
	var all []*request
	open := map[string]*request{} // by what is said of the client
	var head body.Writer
	for i := range b.Items {
		head = body.Writer{Buf: head.Buf[:0]}
		name, code := g.head(&head, &b.Items[i], b.Now)
		if code != "" {
			verdicts = append(verdicts, destination.Verdict{Item: i, Outcome: destination.Dropped, Code: code})
			continue
		}
		r := open[string(head.Buf)]
		if r == nil || len(r.items) == maxEvents {
			r = &request{Writer: body.Writer{Buf: append(make([]byte, 0, len(head.Buf)+min(len(b.Items)-i, maxEvents)*len(b.Items[i].Event.JSON)), head.Buf...)}}
			open[string(head.Buf)], all = r, append(all, r)
		}
		g.event(&r.Writer, &b.Items[i], name)
		r.items = append(r.items, i)
	}
	reqs := make([]destination.Request, len(all))
	for i, r := range all {
		r.CloseList()
		r.Close()
		reqs[i] = destination.Request{Method: http.MethodPost, URL: g.url, Body: r.Buf, Items: r.items, Header: http.Header{"Content-Type": {"application/json"}}}
	}
	return reqs, verdicts
}

// Judge goes by the messages of the validation server. Google itself says nothing.
func (g *ga4) Judge(req destination.Request, res destination.Response) []destination.Verdict {
	all := destination.Classify(req, res)
	var answer struct {
		Messages []struct {
			Path        string `json:"fieldPath"`
			Description string `json:"description"`
		} `json:"validationMessages"`
	}
	if !g.settings.Debug || res.Status != 200 || json.Unmarshal(res.Body, &answer) != nil || len(answer.Messages) == 0 {
		return all
	}
	for i := range all {
		all[i] = destination.Verdict{Item: all[i].Item, Outcome: destination.Split, Code: CodeInvalid, Detail: answer.Messages[0].Path + ": " + answer.Messages[0].Description}
	}
	return all
}
