package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// auditLog is the API server's. An event is in it before its request is answered.
type auditLog struct {
	path string
	// known is how far it was read; versions are those of objects that were written until there, see event.version, and
	// idle the places of writes that had no effect.
	known    int64
	versions map[string]bool
	idle     map[int64]bool
}

func openAuditLog(path string) *auditLog {
	return &auditLog{path: path, versions: map[string]bool{}, idle: map[int64]bool{}}
}

// event is one line of the log, as far as it matters here. The type of the API server's own would bring the API
// server's modules along.
type event struct {
	Stage      string `json:"stage"`
	Verb       string `json:"verb"`
	RequestURI string `json:"requestURI"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		APIGroup    string `json:"apiGroup"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	ResponseObject map[string]any `json:"responseObject"`

	// withoutEffect says that a write left its object as it was. It is known of the released application alone.
	withoutEffect bool
}

// end is the place that the log has reached.
func (l *auditLog) end() (int64, error) {
	info, err := os.Stat(l.path)
	if err != nil {
		return 0, fmt.Errorf("reading the audit log: %w", err)
	}
	return info.Size(), nil
}

// from reads what the operator asked for since a place, and which of its writes had no effect.
func (l *auditLog) from(place int64) ([]event, error) {
	file, err := os.Open(l.path)
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	defer file.Close()
	at := min(place, l.known)
	if _, err := file.Seek(at, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	var asked []event
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return asked, nil // the last line may be on its way
		}
		if err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		begin := at
		at += int64(len(line))
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		if v := e.version(); v != "" && begin >= l.known {
			if l.versions[v] {
				l.idle[begin] = true
			}
			l.versions[v] = true
		}
		l.known = max(l.known, at)
		e.withoutEffect = l.idle[begin]
		if begin >= place && e.User.Username == account && e.counts() {
			asked = append(asked, e)
		}
	}
}

// version names the version of an object that a write gave back: every write that changes something makes a
// new one.
func (e event) version() string {
	if e.ResponseStatus.Code >= 300 || !e.writes() || e.Verb == "delete" {
		return ""
	}
	metadata, _ := e.ResponseObject["metadata"].(map[string]any)
	version, _ := metadata["resourceVersion"].(string)
	if version == "" {
		return ""
	}
	return strings.Join([]string{e.ObjectRef.APIGroup, e.ObjectRef.Resource, e.name(), version}, "/")
}

// name of the object. What is made has none in its request's address.
func (e event) name() string {
	name := e.ObjectRef.Name
	if metadata, ok := e.ResponseObject["metadata"].(map[string]any); ok && name == "" {
		name, _ = metadata["name"].(string)
	}
	return e.ObjectRef.Namespace + "/" + name
}

// counts is true of one of the events of a request: of a watch that it began, of everything else that it was
// answered.
func (e event) counts() bool {
	if e.Verb == "watch" {
		return e.Stage == "ResponseStarted" || e.ResponseStatus.Code >= 300
	}
	return e.Stage == "ResponseComplete" || e.Stage == "Panic"
}

func (e event) writes() bool {
	return slices.Contains([]string{"create", "update", "patch", "delete"}, e.Verb)
}

// verb tells a patch from a server-side apply.
func (e event) verb() string {
	if e.Verb == "patch" && strings.Contains(e.RequestURI, "force=true") {
		return "apply"
	}
	return e.Verb
}

// resource as in canaries.weir.dev/status; a path where it is none.
func (e event) resource() string {
	name := e.ObjectRef.Resource
	if name == "" {
		path, _, _ := strings.Cut(e.RequestURI, "?")
		return path
	}
	if e.ObjectRef.APIGroup != "" {
		name += "." + e.ObjectRef.APIGroup
	}
	if e.ObjectRef.Subresource != "" {
		name += "/" + e.ObjectRef.Subresource
	}
	return name
}

// background is what goes on whether or not there is anything to do: watches and the Lease.
func (e event) background() bool {
	lease := e.ObjectRef.Resource == "leases" && e.ObjectRef.Namespace == system
	return e.ResponseStatus.Code < 300 && (e.Verb == "watch" || lease && (e.Verb == "update" || e.Verb == "get"))
}

// row counts the requests of one kind.
type row struct {
	Verb     string `json:"verb"`
	Resource string `json:"resource"`
	Requests int    `json:"requests"`
	// Objects that they were about.
	Objects int `json:"objects"`
	// WithoutEffect are writes that left the object as it was; of the released application alone it is known.
	WithoutEffect int `json:"withoutEffect"`
	// Refused are those that got no success, by the status that they got instead.
	Refused map[int]int `json:"refused"`

	names map[string]bool
}

// tally counts requests by verb and resource, the most frequent first.
func tally(events []event) []*row {
	byKind := map[string]*row{}
	var rows []*row
	for _, e := range events {
		kind := e.verb() + " " + e.resource()
		r := byKind[kind]
		if r == nil {
			r = &row{Verb: e.verb(), Resource: e.resource(), Refused: map[int]int{}, names: map[string]bool{}}
			byKind[kind] = r
			rows = append(rows, r)
		}
		r.Requests++
		r.names[e.name()] = true
		r.Objects = len(r.names)
		if e.withoutEffect {
			r.WithoutEffect++
		}
		if e.ResponseStatus.Code >= 300 {
			r.Refused[e.ResponseStatus.Code]++
		}
	}
	slices.SortStableFunc(rows, func(a, b *row) int { return b.Requests - a.Requests })
	return rows
}
