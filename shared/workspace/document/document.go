// Package document is a workspace's configuration as code: what people write in
// YAML, and what the control plane's API takes and gives. Objects are known by
// name there; package workspace has the form with identifiers, which planes run.
//
// The types of this package are the declaration of the kinds of configuration
// objects. A list of Document is a kind; the fields of its type are the keys of an
// object, and their tags say what a reader has to know: json its name, and with
// omitempty or omitzero that it may be left out; doc what it is; least and most the
// bounds of a number; one the values of a text. Kinds and Fields give them to what
// reads YAML, writes an export, compares revisions and resolves names; gen writes from
// them the schemas of the API and docs/configuration.md. None of those knows a kind by
// name.
package document

import (
	"encoding/json"

	"weir/shared/filter"
	"weir/shared/id"
	"weir/shared/workspace"
	"weir/shared/workspace/activation"
	"weir/shared/workspace/profiles"
)

// Document is the configuration of one workspace. A kind refers only to kinds that
// stand before it.
type Document struct {
	Workspace         string            `json:"workspace" doc:"The name, 1 to 63 of a-z, 0-9 and '-', a letter first"`
	Region            string            `json:"region" doc:"Where its data plane is; it never changes"`
	ID                id.Workspace      `json:"id,omitempty" doc:"For a new workspace, when its maker sealed secrets for it already"`
	Sources           []Source          `json:"sources,omitempty" doc:"Where events come from"`
	Libraries         []Library         `json:"libraries,omitempty" doc:"Code that transformations import by its name"`
	Transformations   []Transformation  `json:"transformations,omitempty" doc:"Customers' code over events"`
	Destinations      []Destination     `json:"destinations,omitempty" doc:"Where events go, warehouses among them"`
	ConsentCategories []ConsentCategory `json:"consentCategories,omitempty" doc:"What users can consent to; when it is not empty, connections require no other categories"`
	Models            []Model           `json:"models,omitempty" doc:"Rows of a warehouse that syncs send"`
	Profiles          []Profile         `json:"profiles,omitempty" doc:"Persons of a warehouse, with their features and audiences"`
	Syncs             []Sync            `json:"syncs,omitempty" doc:"Each keeps the rows of a model in a destination"`
	Connections       []Connection      `json:"connections,omitempty" doc:"Each joins one source to one destination"`
}

// Source is one origin of events.
type Source struct {
	Name     string            `json:"name" doc:"1 to 64 letters, digits, spaces, '_', '-' and '.', a letter or digit first and last"`
	Type     string            `json:"type" doc:"A kind of source, such as http, or custom"`
	Spec     string            `json:"spec,omitempty" doc:"Of the type custom: its kind, in the format of sources; YAML of at most 256 KiB"`
	WriteKey string            `json:"writeKey,omitempty" doc:"What senders name it by; made when absent, kept when there is one"`
	Disabled bool              `json:"disabled,omitempty" doc:"Refuses its events"`
	Settings json.RawMessage   `json:"settings,omitempty" doc:"The settings of its kind"`
	Secrets  map[string]Secret `json:"secrets,omitempty" doc:"The secrets of its kind"`
	Pull     *Pull             `json:"pull,omitempty" doc:"Of a kind whose rows are pulled: which of them, and when"`
	Was      string            `json:"was,omitempty" doc:"The former name, which renames; without effect once the name exists"`
	ID       id.Source         `json:"id,omitempty" doc:"For a new object, when its maker sealed secrets for it already"`
}

// Library is code that transformations import by its name.
type Library = workspace.Library

// Pull says which rows of a source are pulled, and when.
type Pull = workspace.Pull

// ConsentCategory is one category of consent that users give.
type ConsentCategory = workspace.ConsentCategory

// Transformation is customers' code.
type Transformation struct {
	Name       string            `json:"name" doc:"1 to 64 letters, digits, spaces, '_', '-' and '.', a letter or digit first and last"`
	Language   string            `json:"language" doc:"javascript"`
	MaxOutputs int               `json:"maxOutputs,omitempty" least:"1" most:"1000" doc:"How many events it makes of one at most; 1000 when absent"`
	Code       string            `json:"code" doc:"A module that exports transformEvent or transformBatch"`
	Was        string            `json:"was,omitempty" doc:"The former name, which renames; without effect once the name exists"`
	ID         id.Transformation `json:"id,omitempty" doc:"For a new object, when its maker chose it already"`
}

// Destination is one receiver of events.
type Destination struct {
	Name     string            `json:"name" doc:"1 to 64 letters, digits, spaces, '_', '-' and '.', a letter or digit first and last"`
	Type     string            `json:"type" doc:"A kind of destination or warehouse, such as webhook, or custom"`
	Spec     string            `json:"spec,omitempty" doc:"Of the type custom: its kind, in the format of destinations; YAML of at most 256 KiB"`
	Disabled bool              `json:"disabled,omitempty" doc:"Parks its deliveries"`
	Settings json.RawMessage   `json:"settings,omitempty" doc:"The settings of its kind"`
	Secrets  map[string]Secret `json:"secrets,omitempty" doc:"The secrets of its kind"`
	Was      string            `json:"was,omitempty" doc:"The former name, which renames; without effect once the name exists"`
	ID       id.Destination    `json:"id,omitempty" doc:"For a new object, when its maker sealed secrets for it already"`
}

// Model is rows of a warehouse.
type Model struct {
	Name      string   `json:"name" doc:"1 to 64 letters, digits, spaces, '_', '-' and '.', a letter or digit first and last"`
	Warehouse string   `json:"warehouse" doc:"The name of the warehouse; its kind has to have models: clickhouse, duckdb, mysql or postgres"`
	Table     string   `json:"table,omitempty" doc:"A table or view, such as users or crm.customers; or sql, or audience"`
	SQL       string   `json:"sql,omitempty" doc:"One statement that reads, in the warehouse's SQL"`
	Audience  string   `json:"audience,omitempty" doc:"An audience of the warehouse's profiles: the golden records of its persons, whose key is weir_id"`
	Column    string   `json:"key" doc:"The column whose value is another one in each row and stays the row's; rows where it is null or stands twice are not sent"`
	Was       string   `json:"was,omitempty" doc:"The former name, which renames; without effect once the name exists"`
	ID        id.Model `json:"id,omitempty" doc:"For a new object, when its maker chose it already"`
}

// Sync keeps the rows of a model in a destination.
type Sync struct {
	Name        string               `json:"name" doc:"1 to 64 letters, digits, spaces, '_', '-' and '.', a letter or digit first and last"`
	Model       string               `json:"model" doc:"The model's name"`
	Destination string               `json:"destination" doc:"The destination's name"`
	Object      string               `json:"object" doc:"What the rows are there, of the objects of the destination's kind, such as contact"`
	Mode        string               `json:"mode,omitempty" one:"upsert,update,insert,mirror,append,snapshot" doc:"upsert makes and changes records, update and insert do one of both, mirror also deletes what the model has no more, append sends each new or changed row as a new record, snapshot writes all rows as one new set when any of them differs; upsert when absent"`
	Identifiers map[string]string    `json:"identifiers,omitempty" doc:"The column for each field by which the destination knows a record"`
	Mapping     map[string]string    `json:"mapping,omitempty" doc:"The column for each field that is written; other columns are not sent"`
	Removed     string               `json:"removed,omitempty" one:"nothing,delete,clear" doc:"What becomes of records whose row the model has no more: clear writes null into the mapped fields; nothing when absent, delete in the modes mirror and snapshot"`
	First       string               `json:"first,omitempty" one:"send,assume" doc:"What the first run does: send all rows, or assume that the destination has them; send when absent"`
	Schedule    *activation.Schedule `json:"schedule,omitempty" doc:"When it runs; without one when somebody asks"`
	Disabled    bool                 `json:"disabled,omitempty" doc:"Does not run"`
	Was         string               `json:"was,omitempty" doc:"The former name, which renames; without effect once the name exists"`
	ID          id.Sync              `json:"id,omitempty" doc:"For a new object, when its maker chose it already"`
}

// Connection joins a source to a destination, all by name.
type Connection struct {
	Source          string          `json:"source" doc:"The source's name"`
	Destination     string          `json:"destination" doc:"The destination's name"`
	Transformations []string        `json:"transformations,omitempty" doc:"Names of transformations, in the order of their application"`
	Events          *filter.Events  `json:"events,omitempty" doc:"Which events it takes, by name"`
	Filter          string          `json:"filter,omitempty" doc:"An expression in CEL over the variable event; events for which it is false are dropped"`
	Consent         *filter.Consent `json:"consent,omitempty" doc:"What users have to have consented to; events that say nothing of consent are taken"`
}

// Profile is the persons of a warehouse, with their features and audiences.
type Profile struct {
	Name      string `json:"name" doc:"1 to 64 letters, digits, spaces, '_', '-' and '.', a letter or digit first and last"`
	Warehouse string `json:"warehouse" doc:"The name of the warehouse, which has one set of profiles; its tables go into its schema profiles; duckdb or postgres"`
	profiles.Plan
}

// Secret is one version of one secret, as far as the control plane may know it.
// Sealed holds the envelope for each plane of the region when the version is new; it
// is never given back.
type Secret struct {
	Version     uint64              `json:"version" least:"1" doc:"1 for the first value, one more for each new one"`
	Fingerprint string              `json:"fingerprint" doc:"Argon2id of the value, and a digest of where the settings send it"`
	Sealed      map[id.Plane][]byte `json:"sealed,omitempty" doc:"An HPKE envelope for every plane of the region, by the plane's id, when the version is new; never in an answer"`
}

// Source returns the source of that name, or nil.
func (d *Document) Source(name string) *Source {
	for i := range d.Sources {
		if d.Sources[i].Name == name {
			return &d.Sources[i]
		}
	}
	return nil
}

// Destination returns the destination of that name, or nil.
func (d *Document) Destination(name string) *Destination {
	for i := range d.Destinations {
		if d.Destinations[i].Name == name {
			return &d.Destinations[i]
		}
	}
	return nil
}
