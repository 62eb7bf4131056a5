package page

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
)

// refusal is an answer that is no page of its own: a status of HTTP and a sentence for a person.
type refusal struct {
	status   int
	sentence string
}

// Error gives the sentence.
func (r refusal) Error() string { return r.sentence }

// frame is what is around every page.
type frame struct {
	Title string
	// User who is logged in, empty for anybody.
	User string
	// CSRF is the word that forms carry.
	CSRF string
	// Live is where the page is kept up to date from; empty where it is not.
	Live string
	// Body is what the page shows.
	Body any
}

// show writes a page.
func (p *Page) show(w http.ResponseWriter, status int, name string, f frame) error {
	page, err := p.render(name, f)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page) // or the browser is gone
	return nil
}

func (p *Page) render(name string, data any) ([]byte, error) {
	var out bytes.Buffer
	if err := p.templates.ExecuteTemplate(&out, name, data); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// fail answers with a sentence. What went wrong inside is for the log, and never has a token in it: no error here is
// made of a request.
func (p *Page) fail(w http.ResponseWriter, r *http.Request, err error) {
	var refused refusal
	if !errors.As(err, &refused) {
		p.options.Log.Warn("the dashboard could not answer", "path", r.URL.Path, "error", err)
		refused = refusal{http.StatusBadGateway, "Weir could not ask the API server. Its log says why. Try again."}
	}
	if refused.status == http.StatusUnauthorized && r.Method == http.MethodGet && r.Header.Get("Accept") != eventStream {
		http.Redirect(w, r, "/login?to="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	page := frame{Title: http.StatusText(refused.status), Body: refused.sentence}
	if err := p.show(w, refused.status, "message.html", page); err != nil {
		http.Error(w, refused.sentence, refused.status)
	}
}
