#!/usr/bin/env bash
# WideSeek-R1's settings on four machines of eight GPUs: two sample while the other two train.
# Start Ray on the first with `ray start --head`, on the others with `ray start --address FIRST:6379`,
# then run this on the first, from a checkout that all of them see under the same path.
# NOT RUN ON GPUS so far: `--dry-run` was. More flags can be given, and override those below.
set -euo pipefail
cd "$(dirname "$0")/../../.."
exec "${PYTHON:-python}" -m trainers.openrlhf --ray-address auto \
    --out runs/qwen3-4b --source worlds:default:0-2499 --num-tasks 8 --kind hybrid \
    --eval-source hard --eval-tasks 64 --n-subagents 10 --reward paper --max-turn-tokens 8192 \
    --actor.model_name_or_path Qwen/Qwen3-4B --data.max_len 32768 \
    --algo.advantage.estimator group_norm \
    --algo.kl.use_loss --algo.kl.init_coef 0.001 --algo.kl.estimator k3 \
    --rollout.batch_size 128 --rollout.n_samples_per_prompt 8 --rollout.temperature 1.0 \
    --rollout.micro_batch_size 1 --train.micro_batch_size 1 --train.num_episodes 1 \
    --train.async_enable --train.async_queue_size 1 \
    --actor.eps_clip_low_high 0.2 0.28 --actor.dual_clip 10 \
    --actor.adam.lr 1e-6 --actor.lr_scheduler constant_with_warmup --actor.lr_warmup_ratio 0.02 \
    --actor.max_norm 1.0 --actor.gradient_checkpointing_enable \
    --train.colocate_actor_ref \
    --actor.num_nodes 2 --actor.num_gpus_per_node 8 --ref.num_nodes 2 --ref.num_gpus_per_node 8 \
    --vllm.num_engines 8 --vllm.tensor_parallel_size 2 --vllm.enable_prefix_caching \
    --vllm.gpu_memory_utilization 0.9 --vllm.sync_backend nccl --ds.zero_stage 3 \
    --ckpt.save_steps 10 --ckpt.max_num 2 --eval.steps 20 --eval.n_samples_per_prompt 4 \
    "$@"
