package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/cli/live"
	"weir.dev/weir/pkg/words"
)

func (c *cli) watch() *cobra.Command {
	plain := false
	cmd := &cobra.Command{
		Use:   "watch [NAME]",
		Short: "Look on while a release goes on, and steer it by keys",
		Long: `Look on while a release goes on, and steer it by keys.

With a NAME it shows that Canary, else a list of all: those of all namespaces, or, with --namespace and no NAME or where
you may not list all, those of one. Tab goes from one to the other, and ? shows the keys. A key that orders something
asks first.

Where the output is no terminal, or with --plain, it is a line for each change, until you end it. To wait for the end of
a release there is kubectl weir status --wait.`,
		Example:           "  kubectl weir watch podinfo\n  kubectl weir watch podinfo --plain | tee release.log",
		ValidArgsFunction: c.completeOne,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("give the name of one Canary, or none, as in: %s podinfo", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := c.connect()
			if err != nil {
				return err
			}
			open := types.NamespacedName{}
			if len(args) > 0 {
				canary, err := k.canary(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				open = types.NamespacedName{Namespace: canary.Namespace, Name: canary.Name}
			}
			where, err := c.listed(cmd.Context(), k, open.Name == "" && *c.flags.Namespace != "")
			switch {
			case err != nil && open.Name == "":
				return err
			case c.Interactive && !plain:
				return c.show(cmd.Context(), k, open, where)
			case open.Name != "":
				return c.tellOne(cmd.Context(), k, open.Name)
			}
			return c.tellAll(cmd.Context(), k, where)
		},
	}
	cmd.Flags().BoolVar(&plain, "plain", false, "a line for each change, also on a terminal")
	return cmd
}

// listed is the namespace whose Canaries are listed, empty for all. It is one where one was asked for, and where all may
// not be listed.
func (c *cli) listed(ctx context.Context, k *cluster, one bool) (string, error) {
	look := func(namespace string) error {
		_, err := k.weir.WeirV1beta1().Canaries(namespace).List(ctx, metav1.ListOptions{Limit: 1})
		return err
	}
	if !one {
		if err := look(metav1.NamespaceAll); !apierrors.IsForbidden(err) {
			return metav1.NamespaceAll, err
		}
	}
	return k.namespace, look(k.namespace)
}

// show draws until the person quits.
func (c *cli) show(ctx context.Context, k *cluster, open types.NamespacedName, where string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	h := &hands{ctx: ctx, cluster: k, where: where}
	// The signals are the command's: they end its context. A key of Ctrl-C is one of the view's.
	view := tea.NewProgram(live.New(h, c.Now, open), tea.WithContext(ctx), tea.WithInput(c.In), tea.WithOutput(c.Out),
		tea.WithoutSignalHandler(), tea.WithWindowSize(live.Width, live.Height))
	h.send = view.Send
	if _, err := view.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("drawing on the terminal: %w", err)
	}
	return nil
}

// tellOne writes a line for each change of a Canary.
func (c *cli) tellOne(ctx context.Context, k *cluster, name string) error {
	canary, err := k.canary(ctx, name)
	if err != nil {
		return err
	}
	told := ""
	return k.follow(ctx, canary, false, func(w *world) *ending {
		told = c.tellsNew(told, standing(w.canary))
		return nil
	})
}

func (c *cli) tellsNew(told, line string) string {
	if line != told {
		fmt.Fprintf(c.Out, "%s  %s\n", c.Now().Format(time.TimeOnly), line)
	}
	return line
}

// standing is how a Canary stands, in one line.
func standing(canary *v1beta1.Canary) string {
	_, text := words.Message(canary)
	if news := words.Behind(canary); news != "" && canary.Status.Run == nil {
		text = "waiting for Weir to look at " + news
	}
	return lineOf(canary, text)
}

// tellAll writes a line for each change of every Canary.
func (c *cli) tellAll(ctx context.Context, k *cluster, namespace string) error {
	told := map[string]string{}
	failed := make(chan error, 1)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	k.all(ctx, namespace, func(all []*v1beta1.Canary) {
		there := map[string]string{}
		for _, canary := range all {
			key := canary.Namespace + "/" + canary.Name
			there[key] = c.tellsNew(told[key], key+"  "+standing(canary))
		}
		for _, key := range sorted(told) {
			if there[key] == "" {
				c.tellsNew("", key+"  deleted")
			}
		}
		told = there
	}, func(err error) {
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			select {
			case failed <- err:
			default:
			}
		}
	})
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hands carry out what the live view wants done.
type hands struct {
	*cluster
	// ctx ends with the view.
	ctx   context.Context //nolint:containedctx // the view calls without one
	where string
	send  func(tea.Msg)

	mu    sync.Mutex
	close context.CancelFunc // of what is open
}

// Open follows a Canary; the view opens one at a time.
func (h *hands) Open(key types.NamespacedName) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.close != nil {
		h.close()
	}
	ctx, stop := context.WithCancel(h.ctx)
	h.close = stop
	there := *h.cluster
	there.namespace = key.Namespace
	go func() {
		defer stop()
		trouble := func(err error) { h.send(live.Trouble(plain(err))) }
		for {
			err := there.see(ctx, key.Name, func(r live.Release) { h.send(r) }, trouble)
			if ctx.Err() != nil {
				return
			}
			trouble(err)
			pause(ctx, again)
		}
	}()
}

// List follows all Canaries.
func (h *hands) List() {
	where := "all namespaces"
	if h.where != metav1.NamespaceAll {
		where = "namespace " + h.where
	}
	h.all(h.ctx, h.where, func(all []*v1beta1.Canary) { h.send(live.List{Canaries: all, Where: where}) },
		func(err error) { h.send(live.Trouble(plain(err))) })
}

// Order gives a command and waits for the operator's answer.
func (h *hands) Order(canary *v1beta1.Canary, command v1beta1.Command) (string, error) {
	there := *h.cluster
	there.namespace = canary.Namespace
	code, sentence := exit(there.order(h.ctx, canary, order{command: command, timeout: time.Minute}))
	if code != 0 {
		return "", errors.New(sentence)
	}
	return sentence, nil
}
