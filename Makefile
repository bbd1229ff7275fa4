PYTHON ?= python

.PHONY: check test format vectors results

check:
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest -q

test:
	$(PYTHON) -m pytest -q

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

# Says which golden vectors would change; add --write to change them, on purpose.
vectors:
	$(PYTHON) tests/vectors/regenerate.py

# Runs the benchmarks (what is done already is kept) and writes docs/RESULTS.md's tables and plots:
# make results KODAK=DIR COCO=DIR DETECTOR=FILE.onnx, where COCO holds images/ and instances.json.
# With VIDEO=DIR, which holds clips as files or folders of numbered frames, video too.
# Objects are compared where wmv's files are: more bits than that find no more of them.
COCO_SETTINGS = --settings jpeg=5,10,20,30,45,60 --settings webp=1,5,15,30,45 --settings avif=2,5,10,20,32,44 \
	--settings hevc=44,40,36,32,28 --settings av1=61,54,47,40,33 --settings vvc=56,51,46,41,36
RUNS ?= runs/results
JOBS ?= 1
results:
	@test -d "$(KODAK)" && test -d "$(COCO)/images" && test -f "$(DETECTOR)" || { \
		echo "make results needs KODAK=DIR, COCO=DIR with images/ and instances.json, DETECTOR=FILE.onnx" >&2; exit 2; }
	$(PYTHON) -m wavenetmv bench "$(KODAK)" --metrics psnr,ms-ssim --published kodak \
		--anchor vvc,av1,hevc,avif,webp,jpeg --out "$(RUNS)/kodak" --jobs $(JOBS) --force
	$(PYTHON) -m wavenetmv bench "$(COCO)/images" --annotations "$(COCO)/instances.json" \
		--detector "$(DETECTOR)" --codecs wmv,wmv-no-focus,wmv-human,jpeg,webp,avif,hevc,av1,vvc --metrics psnr,ms-ssim,map \
		$(COCO_SETTINGS) --anchor vvc,av1,hevc,avif,webp,jpeg --out "$(RUNS)/coco_dev" --jobs $(JOBS) --force
	$(if $(VIDEO),$(PYTHON) -m wavenetmv bench "$(VIDEO)" --video --detector "$(DETECTOR)" \
		--out "$(RUNS)/video" --jobs $(JOBS) --force)
	$(PYTHON) -m wavenetmv.bench.results_document "$(RUNS)/kodak/results.json" \
		"$(RUNS)/coco_dev/results.json" $(if $(VIDEO),"$(RUNS)/video/results.json") --out docs/RESULTS.md --plots docs/plots
