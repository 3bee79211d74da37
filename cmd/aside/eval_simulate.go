package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/eval"
)

// simulationFailed ends the process as a gate that found a regression does.
type simulationFailed struct{ failed, all int }

func (e simulationFailed) Error() string {
	return fmt.Sprintf("%d of %d scenarios did not end as expected", e.failed, e.all)
}

func (simulationFailed) code() int { return exitRegression }

func defineEvalSimulate(o *options, cfg *app.Config) runner {
	model(o, cfg)
	var f evalFlags
	o.StringVar(&f.provider, "provider", "instant", "`who` writes the drafts: instant, openai[:chat:MODEL], hostile[:MOOD], script:FAULT")
	customer := o.String("customer", "", "`who` plays the customers, such as openai:chat:MODEL (default: as scripted)")
	o.StringVar(&f.judge, "judge", "", "`provider` of graded assertions that name none")
	o.StringVar(&f.prompts, "prompts", "", "`folder` of prompt files (default: prompts here, else those built in)")
	o.StringVar(&f.filter, "filter", "", "only scenarios whose name matches this `pattern`")
	o.BoolVar(&f.verbose, "v", false, "print every transcript")
	return func(ctx context.Context, s streams, args []string) error {
		f.noCache = true
		run, err := f.options(s, cfg)
		if err != nil {
			return err
		}
		if len(run.Providers) != 1 {
			return usageError{"--provider names one writer"}
		}
		sims, err := loadSimulations(args)
		if err != nil {
			return usageError{err.Error()}
		}
		sim := eval.SimOptions{Sample: run.Sample, Prompts: run.Prompts, Provider: run.Providers[0], Judge: run.Judge, Open: run.Open, Embed: run.Embed}
		if f.filter != "" {
			sim.Filter = regexp.MustCompile(f.filter) // f.options has compiled it
		}
		if *customer != "" {
			p, err := eval.ParseProvider(*customer)
			if err != nil {
				return usageError{err.Error()}
			}
			if sim.Customer, err = p.Open(run.Open); err != nil {
				return err
			}
			if sim.Customer == nil {
				return usageError{"instant cannot play a customer: leave --customer out for the script"}
			}
		}
		results, err := eval.Simulate(ctx, sims, sim)
		if err != nil {
			return err
		}
		failed, errs := 0, 0
		for _, r := range results {
			switch {
			case r.Error != "":
				errs++
			case !r.Pass:
				failed++
			}
		}
		if err := s.print(struct {
			Scenarios int              `json:"scenarios"`
			Passed    int              `json:"passed"`
			Failed    int              `json:"failed"`
			Errors    int              `json:"errors"`
			Results   []eval.SimResult `json:"results"`
		}{len(results), len(results) - failed - errs, failed, errs, results}, func(w io.Writer) { eval.WriteSimulation(w, results, f.verbose) }); err != nil {
			return err
		}
		switch {
		case failed > 0:
			return simulationFailed{failed, len(results)}
		case errs > 0:
			return fmt.Errorf("%d of %d scenarios could not be played", errs, len(results))
		}
		return nil
	}
}

// loadSimulations reads the named files: a path, or the name of a shipped one;
// none named is all that ship.
func loadSimulations(names []string) (sims []*eval.Simulation, err error) {
	shipped := sampleFiles()
	if len(names) == 0 {
		names = shippedSimulations(shipped)
	}
	for _, n := range names {
		files, name := shipped, "simulations/"+n+".yaml"
		if strings.ContainsAny(n, "/.") {
			if files, name, err = rooted(n); err != nil {
				return nil, err
			}
		} else if _, err := fs.Stat(files, name); err != nil {
			return nil, fmt.Errorf("there are no scenarios %q; those that ship are %s; a file of yours is named with its ending", n, strings.Join(shippedSimulations(shipped), ", "))
		}
		s, err := eval.LoadSimulation(files, name)
		if err != nil {
			return nil, asTyped(err, name, n)
		}
		sims = append(sims, s)
	}
	return sims, nil
}

func shippedSimulations(shipped fs.FS) (names []string) {
	files, _ := fs.Glob(shipped, "simulations/*.yaml") // fails for a malformed pattern only
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".yaml"))
	}
	return names
}
