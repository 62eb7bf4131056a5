package page

import (
	"net/http"
	"net/url"
	"strings"
)

// longestToken is what fits into a cookie of every browser.
const longestToken = 3800

type loginBody struct {
	// To is where to go then.
	To string
	// Wrong is why the last try failed.
	Wrong string
	// Audiences that the token has to be for.
	Audiences []string
}

func (p *Page) loginForm(w http.ResponseWriter, r *http.Request) error {
	return p.showLogin(w, http.StatusOK, r.URL.Query().Get("to"), "")
}

func (p *Page) showLogin(w http.ResponseWriter, status int, to, wrong string) error {
	body := loginBody{To: inside(to), Wrong: wrong, Audiences: p.options.Audiences}
	return p.show(w, status, "login.html", frame{Title: "Log in", Body: body})
}

// login looks whose token it is, and has the browser keep it.
func (p *Page) login(w http.ResponseWriter, r *http.Request) error {
	token, to := strings.TrimSpace(r.PostFormValue("token")), r.PostFormValue("to")
	if token == "" || len(token) > longestToken || strings.ContainsAny(token, " \t\r\n;,\"\\") {
		return p.showLogin(w, http.StatusBadRequest, to, "That is no token, or one that does not fit into a cookie.")
	}
	if _, err := p.access.visitor(r.Context(), token, true); err != nil {
		if refused, ok := err.(refusal); ok { //nolint:errorlint // it is made beside here
			return p.showLogin(w, refused.status, to, refused.sentence)
		}
		return err
	}
	http.SetCookie(w, cookieOf(r, token))
	http.Redirect(w, r, inside(to), http.StatusSeeOther)
	return nil
}

// logout has the browser forget the token. It stays good until it expires.
func (p *Page) logout(w http.ResponseWriter, r *http.Request) error {
	cookie := cookieOf(r, "")
	cookie.MaxAge = -1
	http.SetCookie(w, cookie)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
	return nil
}

func cookieOf(r *http.Request, token string) *http.Cookie {
	return &http.Cookie{Name: cookieName, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"}
}

// inside is a path of this page, so that nobody is led elsewhere by a link to the login.
func inside(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") ||
		strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}
