package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/words"
)

// listBody is what the list shows.
type listBody struct {
	Filter string
	All    int
	Rows   []listRow
	// Partly says that there are namespaces whose Canaries the visitor may not list.
	Partly bool
}

type listRow struct {
	Path, Namespace, Name, Target, Phase, Tone, Step, Age, WaitsFor string
	Weight                                                          int32
	Run                                                             since
}

// since is how long ago something was, as text and in seconds since 1970 for who counts on; empty where it was not.
type since struct {
	Text string
	Unix int64
}

func (p *Page) list(w http.ResponseWriter, r *http.Request) error {
	v, err := p.lister(r)
	if err != nil {
		return err
	}
	filter := r.URL.Query().Get("q")
	body, err := p.listBody(r.Context(), v, filter)
	if err != nil {
		return err
	}
	return p.show(w, http.StatusOK, "list.html", frame{Title: "Canaries", User: v.user.Username, CSRF: v.csrf(),
		Live: "/live?q=" + url.QueryEscape(filter), Body: body})
}

func (p *Page) listLive(w http.ResponseWriter, r *http.Request) error {
	if _, err := p.lister(r); err != nil {
		return err
	}
	return p.stream(w, r, func(ctx context.Context) (fragments, error) {
		v, err := p.lister(r)
		if err != nil {
			return nil, err
		}
		body, err := p.listBody(ctx, v, r.URL.Query().Get("q"))
		if err != nil {
			return nil, err
		}
		rows, err := p.render("rows", body)
		return fragments{"rows": rows}, err
	})
}

// lister is who asks for a list. What is on it depends on their rights.
func (p *Page) lister(r *http.Request) (visitor, error) {
	v, err := p.visitor(r)
	if err == nil && !v.known() && !p.options.AnonymousRead {
		err = refusal{http.StatusUnauthorized, "Log in first."}
	}
	return v, err
}

// visitor is who a request is from. Where anybody may read, who was known once is anybody now.
func (p *Page) visitor(r *http.Request) (visitor, error) {
	v, err := p.access.visitor(r.Context(), tokenOf(r), false)
	var refused refusal
	if p.options.AnonymousRead && errors.As(err, &refused) {
		return visitor{}, nil
	}
	return v, err
}

func (p *Page) listBody(ctx context.Context, v visitor, filter string) (listBody, error) {
	body := listBody{Filter: filter}
	seen, partly, err := p.listed(ctx, v)
	if err != nil {
		return body, err
	}
	body.All, body.Partly = len(seen), partly
	for _, c := range seen {
		row := p.row(c)
		text := strings.ToLower(strings.Join([]string{row.Namespace, row.Name, row.Phase, row.WaitsFor}, " "))
		if strings.Contains(text, strings.ToLower(filter)) {
			body.Rows = append(body.Rows, row)
		}
	}
	return body, nil
}

// listed are the Canaries that a visitor may list: all, or those of some namespaces.
func (p *Page) listed(ctx context.Context, v visitor) (seen []*v1beta1.Canary, partly bool, err error) {
	all := p.store.all()
	if p.options.AnonymousRead {
		return all, false, nil
	}
	if yes, err := p.access.may(ctx, v, false, "list", "", ""); err != nil || yes {
		return all, false, err
	}
	allowed := map[string]bool{}
	for _, c := range all {
		yes, known := allowed[c.Namespace]
		if !known {
			if yes, err = p.access.may(ctx, v, false, "list", c.Namespace, ""); err != nil {
				return nil, false, err
			}
			allowed[c.Namespace] = yes
		}
		if yes {
			seen = append(seen, c)
		}
	}
	return seen, true, nil
}

func (p *Page) row(c *v1beta1.Canary) listRow {
	st, now := &c.Status, p.options.Now()
	_, text := words.Message(c)
	row := listRow{
		Path: pathOf(types.NamespacedName{Namespace: c.Namespace, Name: c.Name}), Namespace: c.Namespace, Name: c.Name,
		Target: words.TargetOf(c), Phase: string(st.Phase), Tone: toneOf(c), Weight: st.Weight,
		Age: words.Span(now.Sub(c.CreationTimestamp.Time)), WaitsFor: words.Line(text),
	}
	if st.Run != nil {
		row.Run = since{words.Span(now.Sub(st.Run.StartedAt.Time)), st.Run.StartedAt.Unix()}
		if st.Step != nil {
			row.Step = st.Step.Progress
		}
	}
	return row
}

// toneOf is the colour that a Canary is told in. What it says is said in words, too.
func toneOf(c *v1beta1.Canary) string {
	switch {
	case c.Status.Phase == v1beta1.PhaseFailed || words.Refused(c) != "":
		return "bad"
	case c.Status.Run != nil:
		return "busy"
	case c.Status.Phase == v1beta1.PhaseSucceeded || c.Status.Phase == v1beta1.PhaseInitialized:
		return "good"
	}
	return "busy"
}

// percent is a share of the traffic in words.
func percent(weight int32) string { return fmt.Sprintf("%d %%", weight) }
