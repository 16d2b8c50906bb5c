"""Which annotation files beside the repository belong to which benchmark, and what they hold."""

CHAT_UNIVI = "Chat-UniVi__ChatUniVi__eval__questions__video_qa__"
FLASH = "Flash-VStream__Flash-VStream-Qwen__data__eval_video__"
OPEN, PARTS = "IG-VLM__data__open_ended_qa__", "IG-VLM__data__text_generation_benchmark__"
SAMPLES = [  # benchmark, files, questions, of these without a truth
    ("msvd", [f"{CHAT_UNIVI}msvd_qa.json"], 1671, 0),
    ("msvd", ["HQGA__dataset__msvd__test.csv"], 3051, 0),
    ("msvd", [f"{OPEN}MSVD_QA.csv"], 2157, 0),
    ("msvd", ["MA-LMM__data__msvd__annotation__qa_test.json"], 884, 0),
    ("msvd", ["PAIRED_msvd_ysTmUTQ5wZE_17_45.json"], 24, 0),
    ("msrvtt", ["HQGA__dataset__msrvtt__val.csv"], 3037, 0),
    ("msrvtt", [f"{OPEN}MSRVTT_QA.csv"], 2339, 0),
    ("msrvtt", ["MA-LMM__data__msrvtt__annotation__qa_val.json"], 881, 0),
    ("tgif-frame", [f"{CHAT_UNIVI}tgif_qa.json"], 675, 0),
    ("tgif-frame", ["HQGA__dataset__tgifqa__frameqa__test.csv"], 2299, 0),
    ("tgif-frame", [f"{OPEN}TGIF_FrameQA.csv"], 1595, 0),
    ("tgif-frame", ["tgif-qa__dataset__Test_frameqa_question.csv"], 1078, 0),
    ("tgif-action", ["tgif-qa__dataset__Test_action_question.csv"], 1159, 0),
    ("tgif-transition", ["tgif-qa__dataset__Test_transition_question.csv"], 1074, 0),
    ("tgif-count", ["tgif-qa__dataset__Test_count_question.csv"], 1778, 0),
    ("activitynet", [f"{CHAT_UNIVI}activitynet_qa.json"], 1628, 0),
    ("activitynet", [f"{OPEN}ActivityNet_QA.csv"], 1736, 0),
    ("activitynet", ["MA-LMM__data__activitynet__annotation__qa_test.json"], 914, 0),
    ("activitynet", [f"activitynet-qa__dataset__test_{one}.json" for one in "qa"], 1436, 0),
    ("tvqa", ["TVQA__data__tvqa_test_public.jsonl"], 473, 473),
    ("tvqa", ["TVQAplus__eval__data__tvqa_plus_val.json"], 123, 0),
    ("tvqa-long", ["TVQAplus__eval__data__tvqa_plus_val.json"], 123, 0),
    ("videochatgpt", [f"{CHAT_UNIVI}generic_qa.json"], 430, 0),
    ("videochatgpt", [f"{CHAT_UNIVI}temporal_qa.json"], 236, 0),
    ("videochatgpt", [f"{CHAT_UNIVI}consistency_qa.json"], 236, 0),
    ("videochatgpt", [f"{PARTS}Generic_QA.csv"], 441, 0),
    ("videochatgpt", [f"{PARTS}Temporal_QA.csv"], 236, 0),
    ("videochatgpt", [f"{PARTS}Consistency_QA{one}.csv" for one in "12"], 236, 0),
    ("nextqa", ["IG-VLM__data__multiple_choice_qa__NExT_QA.csv"], 877, 0),
    ("nextqa", ["NExT-QA__dataset__nextqa__val.csv"], 1044, 0),
    (
        "nextqa",
        ["NExT-QA__dataset__nextqa__val.csv", "NExT-QA__dataset__nextqa__map_vid_vidorID.json"],
        1044,
        0,
    ),
    ("nextqa-oe", ["NExT-OE__dataset__nextqa__val.csv"], 1735, 0),
    ("egoschema", [f"{FLASH}EgoSchema__test_qa.json"], 161, 0),
    ("egoschema", ["IG-VLM__data__multiple_choice_qa__EgoSchema.csv"], 170, 0),
    ("videomme", [f"{FLASH}videomme__test_qa.json"], 427, 0),
    ("videomme", ["Video-MME__evaluation__output_test_template.json"], 9, 0),
    ("mlvu", [f"{FLASH}mlvu__test_qa.json"], 648, 1),  # the right option has lost its text
    ("mlvu", ["MLVU__data__1_plotQA.json"], 275, 0),
    ("mlvu", ["MLVU__data__2_needle.json"], 181, 2),  # answers that are not among the candidates
    ("mlvu", ["MLVU__data__4_count.json"], 101, 0),
    ("mlvu", ["MLVU__data__8_sub_scene.json"], 101, 0),
    ("mlvu", ["MLVU__data__9_summary.json"], 114, 0),
    ("lvbench", [f"{FLASH}lvbench__test_qa.json"], 376, 0),
    ("mvbench", [f"{FLASH}mvbench__test_qa.json"], 608, 0),
    ("custom", ["PAIRED_llamafactory_mllm_video_demo.json"], 3, 0),
    ("custom", ["PAIRED_videochatgpt_v_TpB_zMG3XBA.json"], 1, 0),
]
IDS = [f"{name}-{files[0]}-{len(files)}" for name, files, _, _ in SAMPLES]
