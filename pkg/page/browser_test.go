package page_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/page"
)

// chromium finds the program. In CI it is installed where it is missing; else the test is skipped without.
func (b *stand) chromium() string {
	b.Helper()
	find := func() string {
		for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
			if found, err := exec.LookPath(name); err == nil {
				return found
			}
		}
		return ""
	}
	if path := find(); path != "" {
		return path
	}
	if os.Getenv("CI") == "" {
		b.Skip("there is no Chromium to look at the dashboard with; on Debian it is the package chromium")
	}
	require.NoError(b, sandbox.InstallDebian(b.Context(), "chromium"))
	return find()
}

// browser opens a Chromium.
func (b *stand) browser() context.Context {
	b.Helper()
	path := b.chromium()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.WindowSize(1100, 900))
	ctx, cancel := chromedp.NewExecAllocator(b.Context(), options...)
	b.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	b.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	b.Cleanup(cancel)
	return ctx
}

// holds waits until an expression is true of the page, or of the next one that is being loaded.
func holds(expression string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		for {
			if yes, err := chromedp.Evaluate[bool]("!!("+expression+")")(ctx, t); err == nil && yes {
				return chromedp.Void{}, nil
			}
			select {
			case <-ctx.Done():
				return chromedp.Void{}, fmt.Errorf("waiting for %s: %w", expression, ctx.Err())
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}

// inABrowser lives through a login, keys, news and a command; and nothing that the policy of the page forbids is tried.
func inABrowser(b *stand) {
	ctx := b.browser()
	var mu sync.Mutex
	var complaints []string
	require.NoError(b, chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Text)
		case *log.EventEntryAdded: // what the policy of the page forbids is told here
			complaints = append(complaints, e.Entry.Text)
		}
	}))
	b.person("releaser", "get", "list", "patch")
	s := b.serves(page.Options{Commands: true, Now: time.Now})
	b.eventually("the releaser to have rights", func() bool {
		return strings.Contains(s.gets(s.path(), b.token("releaser")).body, "<details")
	})
	does := func(actions ...chromedp.Action[chromedp.Void]) {
		b.Helper()
		require.NoError(b, chromedp.Do(ctx, actions...))
	}
	says := func(selector, words string) chromedp.Action[chromedp.Void] {
		return holds(`document.querySelector("` + selector + `")?.textContent.includes("` + words + `")`)
	}
	does(chromedp.Navigate(s.url+"/"), chromedp.WaitVisible("#token"), chromedp.SendKeys("#token", b.token("releaser")+kb.Enter),
		chromedp.WaitVisible(".list"), says("#rows", "podinfo"))

	// By keys alone: to the Canary, and to its commands.
	does(chromedp.KeyEvent("j"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#main"), says("h1", "podinfo"))
	b.commits(func(st *v1beta1.CanaryStatus) {
		st.Weight = 50
		st.Checks[0].Value, st.Checks[0].At = "97.1", metav1.Now()
	})
	does(says("#main", "canary 50 %"), says("#main", "97.1"))

	// While somebody types a reason, news does not take it away.
	does(chromedp.KeyEvent("c"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab),
		chromedp.KeyEvent("ran it by hand"))
	b.commits(func(st *v1beta1.CanaryStatus) { st.Weight = 60 })
	does(says("#main", "canary 60 %"), chromedp.KeyEvent(kb.Enter), holds(`location.search.startsWith("?ordered=")`),
		says("#main", "has not looked at the command approve"))
	command, given := s.command()
	require.True(b, given)
	assert.Equal(b, "approve", command.Verb)
	assert.Equal(b, "ran it by hand", command.Reason)
	assert.Equal(b, b.userOf("releaser"), command.Actor)

	// Dark, where the person likes that.
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
	require.NoError(b, err)
	does(holds(`getComputedStyle(document.body).backgroundColor === "rgb(13, 17, 23)"`))
	does(chromedp.KeyEvent("u"), chromedp.WaitVisible(".list"))
	readable, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.cookie`))
	require.NoError(b, err)
	assert.Empty(b, readable, "a script can read the token")
	mu.Lock()
	defer mu.Unlock()
	assert.Empty(b, complaints)
}
