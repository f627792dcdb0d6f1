#!/usr/bin/env bash
# One run by `wideseek train grpo` and the same by OpenRLHF, side by side on two CPU cores: start,
# tasks, their order, budgets, learning rate, clip and KL are equal. For three seeds:
#     for seed in 0 1 2; do SEED=$seed trainers/openrlhf/scripts/compare-cpu.sh; done
#     python trainers/openrlhf/scripts/compare.py runs/compare
set -euo pipefail
cd "$(dirname "$0")/../../.."
PYTHON="${PYTHON:-python}" SEED="${SEED:-0}" NUM_ITERATIONS="${NUM_ITERATIONS:-20}"
OUT="${OUT:-runs/compare}"
export RAY_worker_niceness=0  # by default Ray's workers would yield to the other run
mkdir -p "$OUT"
OMP_NUM_THREADS=1 "$PYTHON" -m wideseek_env train grpo --preset tiny --out "$OUT/grpo-$SEED" \
    --model agents/learned/lm/sft --seed "$SEED" --num-iterations "$NUM_ITERATIONS" \
    --n-subagents 2 --no-random-width --warmup-steps 0 --lr-end 1 >"$OUT/grpo-$SEED.txt" 2>&1 &
ours=$!
PYTHON="$PYTHON" trainers/openrlhf/scripts/tiny-cpu.sh --out "$OUT/openrlhf-$SEED" \
    --source worlds:starter:0-399 --seed "$SEED" --train.seed "$SEED" \
    --data.max_samples $((8 * NUM_ITERATIONS)) \
    --algo.kl.use_loss --algo.kl.init_coef 0.05 --algo.kl.estimator k3 \
    --actor.lr_scheduler constant >"$OUT/openrlhf-$SEED.txt" 2>&1
wait $ours
