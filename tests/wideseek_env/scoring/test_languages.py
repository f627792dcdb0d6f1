"""Numbers and dates as the world writes them: what must be equal and what must not.

Of each pair the first is the gold cell; `_` stands for a blank.
"""

from __future__ import annotations

import pytest

from wideseek_env.records import Column
from wideseek_env.scoring.values import read_value, same

NUMBER = Column("v", "number_near", ("extract_number",), 0.0)
DATE = Column("v", "exact_match", ("norm_date",))

EQUAL_NUMBERS = {
    "bound or range": (
        "<300=less_than_300 >300=over_300 ≤300=up_to_300 ≥300=300以上 ≥300=at_least_300 "
        "300+=300_or_more 10–20=between_10_and_20 10–20%=10%_to_20% "
        "$5–7_million=$5_million_to_$7_million -5_to_5=between_-5_and_5 1,000–2,000=1000-2000 "
        "5–7_km=5000_m_to_7000_m ≤300=300_at_most ≥300=minimum_300 ≥300=300_minimum "
        "≤300=maximum_of_300 >300=超过300"
    ),
    "compound": (
        "90_min=1h_30m 1.5_hours=1_hr_30_mins 71_in=5′_11″ 71_in=5_feet_11_inches "
        "2.5_lb=2_lb_8_oz 31_lb=2_stone_3_lb 18_months=1_yr_6_mo 76_hours=3_days_4_hours "
        "17_days=2_weeks_3_days 119_minutes=1_hour_and_59_minutes 1.5_miles=1_mi_880_yd "
        "630_s=10_min_30_s $5.50=5_dollars_50_cents 120000000=1億2000万 35000=3만5천 "
        "35000=3만_5천 30000000=3천만 530000000=5억_3천만 5.3_km=5_km_300_m "
        "5.3_km=5_km_and_300_m 120000=1_lakh_20_thousand 15000000=1_crore_50_lakh "
        "3.5_km=3½_km 3.5_h=3_1/2_hours 2.5_h=2h30 2500000=2_million_500_thousand"
    ),
    "locale digits": (
        "123=१२३ 123=۱۲۳ 123=๑๒๓ 123=১২৩ 1234=１，２３４ 12.5=１２．５ 1234.5=١٬٢٣٤٫٥ "
        "1234.56=1_234,56 1234.56=1_234,56 1234.56=1_234,56 1234.5=1'234.50 1234=1’234 "
        "1234567=1.234.567 1234567.89=1.234.567,89 123456=1,23,456 12.5=12,5 0.123=0,123 "
        "0.5=.5 5=𝟓 50%=٥٠٪ 50%=%50 50%=50_% 50%=百分之50 50%=50％ -5=-٥ 50%=50_percent "
        "50%=50_Prozent 50%=50_por_ciento 50%=50_pour_cent 12=十二 5=五 20000=两万 "
        "3000000=三百万 2020=二〇二〇 12.34=12,34 1234567=1_234_567 12345=12_345 "
        "1234567=12,34,567 1000000=1’000’000 15=༡༥"
    ),
    "negative": (
        "-5%=(5%) -5200000=($5.2_million) -5=$(5) -$5=$-5 -5_°C=minus_5_degrees_Celsius "
        "-5_°C=5_°C_below_zero -5_°C=−5°C -5=零下5 -5=マイナス5 -5=moins_5 -5=menos_5 -5=–5 "
        "-5=﹣5 -5=－5 -5=‐5 -5=⁻5 -5=-_5 -5=−5.0 -5=마이너스_5 -1234.5=(1.234,5) "
        "-5_million=(5)_million -5=**-5** -5=<b>-5</b> -5=-5[1]"
    ),
    "scale": (
        "5000000=5_millones 5000000=5_milhões 5000000=5_миллионов 5000000=5_млн "
        "5000000000=5_млрд 5000=5_тыс. 5000000000=5_miljard 5000000=5_juta 5000000=5_triệu "
        "5000000=5_ล้าน 5000000000=5_mld 5000000=5_مليون 5000=5천 5200000=5,2_Mio. "
        "5200000000=5,2_Mrd. 5200000_EUR=5,2_Mio._EUR €5200000000=€5,2_Mrd 5e6=5×10⁶ "
        "5e6=5·10^6 5e6=5_million 5e-3=0.005 5e6=5E6 5e6=5E+06 $5M=$5mm 5%=5_percents "
        "5000000=500万 5000000=5百万 5000=5_thousand 5_lakh_crore=5_trillion "
        "5_thousand_crore=50_billion 5000000=5-million 150000=1.5_lacs"
    ),
    "units": (
        "5_°C=41_°F 5_m²=5_m2 5_m²=5_sq_m 5_m²=5_square_metres 5_km²=500_ha 5_L=5000_mL "
        "5_nmi=5_nautical_miles 5_ly=5_light-years 5_ly=5_light_years $5=5_US_dollars "
        "$5=US$_5 $5=USD_5.00 €5=5_euros €5m=5_million_euros 5_lb=5_pounds "
        "C$5=5_Canadian_dollars ₹5_crore=5_crore_rupees ₹5_crore=Rs._5_crore "
        "₹5_crore=INR_50,000,000 ¥5=5円 ¥50000=5万円 ₩10000=1만원 ₩500000000=5억_원 "
        "₩5000=5,000원 ₽5=5_руб. ₽5=5_рублей PLN_5=5_zł 120/km²=120_per_km² "
        "120/km2=120_per_square_kilometre 120_people/km²=120/km² 5_m/s=18_km/h "
        "5_kB=5000_bytes 66_Ma=66_million_years 25_years=25_years_old 3_years=3年 "
        "3_months=3ヶ月 3_months=3个月 3_hours=3時間 3_hours=3小时 3_hours=3시간 3_years=3년 "
        "3_years=3_Jahre 3_years=3_ans 5_km=5_Kilometer 5_km=5_kilómetros 5_km=5_км 5_m=5_м "
        "5_km=5_公里 5_km=5킬로미터 5_kg=5_кг 60_rpm=1_Hz 5_won=₩5 1_in=2.54_cm 5_km=5km. "
        "5_km=5_km. 5_mg/L=5_milligrams_per_liter 5_mg/L=0.005_g/L 5_µg=5_mcg 5_seconds=5s"
    ),
}
OTHER_NUMBERS = {
    "bound or range": (
        "300=300_(max) 300=max._300 300=mehr_als_300 300=plus_de_300 300=más_de_300 "
        "300=bis_zu_300 300=300未満 300=300以上 300=300_이상 300=300余 300=300多 300=300_plus "
        "300=300– 300=300_±_5 300=300_+/-_5 300=300,_400 300=300_&_400 300=300_→_500 "
        "300=300_out_of_500 300=300_of_500 300=300/500 300=300:1 300=just_over_300 "
        "300=not_over_300 300=300_minimum 300=300_maximum 300=300_at_least 300=300_at_most "
        "300=300_or_so_or_400 300=300_bis_400 300=300_à_400 300=300_a_400 300=300_hasta_400 "
        "300=de_300_a_400 300=entre_300_y_400 300=300から400 300=300～400 300=300_-_400 "
        "300=300‑400 300=300--400 300=300_up_to_400 300=300_and_400 300=300;_400 "
        "300=300_|_400 300=from_300 300=300_and_counting 300=300_before_tax "
        "300=about_300_to_400 300=≮300 300=≯300 300=≠300 300=⩽300 300=≲300 300=≳300 300=≪300 "
        "300=300_to 300=300_less 300=300_higher 300=300_only_if_lucky 10-20=1020 20=20-10 "
        "<300=≤300 10–20=10–30 ≥300=≤300"
    ),
    "compound": (
        "1_h=1:59 1=1:59 1_year=1_year,_6_months_and_3_days $5=$5_and_50_cents £5=£5_10s "
        "3=3만5천 5_km=5_km_300_m 5_km=5_km_300_kg 1_lakh=1_lakh_20_thousand "
        "1_crore=1_crore_50_lakh 2_dozen=2_dozen_and_3 5=5_feet_11 5_ft=5_ft_11 5_ft=5'11 "
        "2_hours=2_hours_30 2_h=2h30 2_million=2_million_500_thousand 3_kg=3_kg_500 1=1_gross "
        "5=5_squared 5=5_cubed 5=5² 5=5^2 5=5! 5=5_×_4 5=5x4 5_m=5_m_×_4_m 5=5_+_3 5=5_plus_3 "
        "5=5_minus_3 5=5_*_3 5=5_/_8_/_2 5=5%3 5=5_over_3 100=one_hundred_and_5"
    ),
    "locale digits": (
        "16=0x10 1234=1.234 1000=1.000 8=Ⅷ 54=5④ 5=5④4 4811=481① 102=10₂ 106=10⁶ "
        "4810001=481,000¹ 10=1⁰ 50=50_Prozent 50=50_pour_cent 50=%50 5=五百 10=十二 "
        "1234=1,2,3,4 1234567=1.234.567.8 1234=12,34 1234.567=1,234,567 12345=123_45 100=1_00 "
        "1234567=1.234,567 5=꘥x"
    ),
    "negative": (
        "5=$(5) 5=5- 5_°C=5_°C_below_zero 5=5_degrees_below_zero 5_°C=零下5度 5=マイナス5 "
        "5=moins_5 5=⁻5 5=(-5) 5=5_below 5=loss_of_5 5=5_loss 5=5_deficit 5=5_down "
        "5=5_decrease 5=5_lost 5=down_5 5=▼5 5=▲5 5=↓5 5=△5 5=-5.0 -5=5 5=5_negative "
        "5=5_in_debt 5=5_under_par 40=40_CR 5=minus_5 5=영하_5도 5_million=(5)_million 5%=−5% "
        "5=[-5] 5=-5*"
    ),
    "scale": (
        "5=5_trillions 5=5_dozens 5=5_hundreds 5=5_score 5=5_milliards 5=5_millones "
        "5=5_millions 5=5_milhões 5=5_миллионов 5=5_тыс. 5=5_mille 5=5_mila 5=5_milioni "
        "5=5_miljoner 5=5_miljard 5=5_juta 5=5_ribu 5=5_triệu 5=5_tỷ 5=5_nghìn 5=5_ล้าน "
        "5=5_milyon 5=5_bin 5=5_tys. 5=5_mld 5=5_milyar 5=5_mil 5=5_mill 5=5_thou 5=5_grand "
        "5=5_bil 5=5_tenths 5=5_hundredths 5=5_thousandths 5=5_millionths 5=5_quarters "
        "5=5_halves 5=5-fold 5=5x 5=5_times 5=5_हज़ार 5=5_লক্ষ 5=5_কোটি 5=5_مليون 5=5_ألف "
        "5=5_میلیون 5=5_מיליון 5=5_εκατομμύρια 5=5천 5=5백 5=5십 5=5kk 5=5_bps 5=5E+06 "
        "5=5_mega 5=5_giga 5=5_mn 5=5_ppm 5%=5‱ 5=5_billionen 5=5_billones 5=5_percents "
        "5=5_Procent 5=5_procent 5=5_per_mille 5=5_promille 5=5_percentage_points "
        "5_billion=5_million 5=5拾 5=5百 5=5仟 5=5佰 5=5_million-plus 5=5_zillion 5=5_hundred "
        "1.5=1.5_lakhs"
    ),
    "units": (
        "5_km=5_mi 5_Mbit/s=5_MB/s 5_kWh=5_MWh 5_kn=5_km 5_m=5_m² 5_sq_ft=5_sq_m "
        "5_miles=5_nautical_miles 5_oz=5_fl_oz 5_kg=5_pounds A$5=US$5 $5=5_Canadian_dollars "
        "$5=5_Hong_Kong_dollars $5=5円 120/km²=120/mi² 120/km²=120/km 120=1/120 "
        "60_mph=60_km/h 5_MW=5_mW 5_MHz=5_kHz 5_Mb=5_MB 5_GiB=5_GB 66_Ma=66_mA "
        "25_years=25_days_old 3_years=3_mois 3_days=3_Jahre 5_m=5_км 5_kg=5_г "
        "5_tons=5_short_tons 5_tons=5_long_tons 5_A=5_mA 5_Ω=5_kΩ 5_V=5_kV 5_Pa=5_hPa "
        "5_bar=5_mbar 5_rpm=5_Hz 5_kcal=5_kJ 5_L/100km=5_km/L 5_mol=5_mmol 5_px=5_dpi "
        "5_Nm=5_nm 5_£=5_€ 5_Kč=5_kr 5_won=5_yen 5_acres=5_hectares 5_cal=5_kcal 5_mph=5_m/s "
        "5_cm=5_in 5_pts=5_pct 5_mg/L=5_g/L 5_µg=5_mg 5_min=5_m 5_goals=5_assists "
        "5_wins=5_losses"
    ),
}
EQUAL_DATES = {
    "BC": (
        "44_BC=44_B.C.E. 44_BC=44_v._Chr. 44_BC=44_av._J.-C. 44_BC=公元前44年 "
        "44_BC=紀元前44年 44_BC=기원전_44년 44_BC=44_a.C. 44_BC=44_a._C. 44_BC=44_до_н._э. "
        "44_BC=44_до_н.э. 44_BC=BC_44 44_BC=44BC 44_BC=44_bce 44_BC=−44 44_BC=c._44_BC "
        "44_BC=44_B._C. 44_BC=44_BC[1] 476=AD_476 0476=476 476=476_CE "
        "-0044-03-15=15_March_44_BC 500_CE=500 490–480_BC=490_BC_–_480_BC "
        "27_BC_–_14_AD=27_BC_to_AD_14 0014=14_n._Chr. 0014=14_apr._J.-C. 0014=14_d.C. "
        "0014=14_н._э."
    ),
    "time zone": (
        "2020-01-05=2020-01-05T10:00:00.123456Z 2020-01-05=2020-01-05T10:00:00+0900 "
        "2020-01-05=2020-01-05_10:00_AM_PST 2020-01-05=January_5,_2020,_10_a.m. "
        "2020-01-05=5_Jan_2020_23:59:59_GMT 2020-01-05=Sun,_05_Jan_2020_10:00:00_GMT "
        "2020-01-05=Sun_Jan_5_10:00:00_2020 2020-01-05=Sun_Jan__5_10:00:00_UTC_2020 "
        "2020-01-05=2020-01-05T10:00Z 2020-01-05=20200105T100000Z "
        "2020-01-05=2020/01/05_10:00:00_JST 2020-01-05=5_January_2020_at_10:00_(CET) "
        "2020-01-05=5_janvier_2020_à_10h00 2020-01-05=5._Januar_2020,_10:00_Uhr "
        "2020-01-05=5._Januar_2020_um_10_Uhr 2020-01-05=5_de_enero_de_2020,_10:00_h "
        "2020-01-05=5_de_enero_de_2020_a_las_10:00 2020-01-05=2020年1月5日10时30分 "
        "2020-01-05=2020年1月5日_午前10時 2020-01-05=2020年1月5日上午10:00 "
        "2020-01-05=2020年1月5日_10時30分 2020-01-05=10:00_UTC,_5_January_2020 "
        "2020-01-05=10_AM_on_January_5,_2020 2020-01-05=5_Jan_2020_10.30_pm "
        "2020-01-05=2020-01-05_10:00:00_Europe/Paris "
        "2020-01-05=2020-01-05T10:00:00+01:00[Europe/Paris] "
        "2020-01-05=2020-01-05_10:00:00.000_+0000_UTC 2020-01-05=2020-01-05_22:00_local_time "
        "2020-01-05=2020-01-05,_22:00 2020-01-05=05-Jan-2020_22:00:01 "
        "2020-01-05=January_5,_2020_(10:00_AM) 2020-01-05=5_January_2020_noon "
        "2020-01-05=2020-01-05_10:00:00-05 2020-01-05=2020-01-05_–_10:00 "
        "2020-01-05=2020년_1월_5일_오전_10시 2020-01-05=2020년_1월_5일_10:00 "
        "2020-01-05=2020-01-05_10:00:00_AEST 2020-01-05=2020-01-05_10:00_BRT "
        "2020-01-05=2020-01-05_10:00_GMT-3"
    ),
    "weekday month circa": (
        "2020-01-05=Sunday,_January_5th,_2020 2020-01-05=domingo_5_de_enero_de_2020 "
        "2020-01-05=воскресенье,_5_января_2020_г. 2020-01-05=5_января_2020 "
        "2020-01-05=5_stycznia_2020 2020-01-05=5_Ocak_2020 2020-01-05=5_tháng_1_năm_2020 "
        "2020-01-05=ngày_5_tháng_1_năm_2020 2020-01-05=2020년_1월_5일_일요일 "
        "2020-01-05=2020年1月5日_星期日 2020-01-05=2020年1月5日（日曜日） "
        "2020-01-05=５_Ｊａｎ_２０２０ 2020-01-05=٥_يناير_٢٠٢٠ 2020-09-05=5_Sept._2020 "
        "2020-09-05=Sept_5,_2020 2020-01-05=the_5th_of_January_2020 "
        "2020-01-05=the_5th_of_January,_2020 2020-01-05=5/Jan/2020 2020-01-05=JAN_5_2020 "
        "2020-01-05=5_Jan,_2020 2020-01-05=January_5_2020 2020-01-05=January_the_5th,_2020 "
        "2020-01-05=2020,_January_5 2020-01-05=5_ianuarie_2020 2020-01-05=5._januar_2020 "
        "2020-01-05=5._tammikuuta_2020 2020-01-05=5._ledna_2020 2020-01-05=2020._január_5. "
        "2020-01-05=5_Ιανουαρίου_2020 2020-01-05=5_січня_2020 2020-01-05=5_Januari_2020 "
        "2020-01-05=二〇二〇年一月五日 2020-01-05=2020年01月05日 2020-01-05=2020_年_1_月_5_日 "
        "2020-01-05=5_जनवरी_2020 2020-01-05=5_มกราคม_2020 2020-01-05=5_ינואר_2020 "
        "2020-01-05=le_5_janvier_2020 2020-01-05=on_5_January_2020 "
        "2020-01-05=den_5_januari_2020 2020-01-01=1er_janvier_2020 "
        "2020-01-01=1º_de_janeiro_de_2020 2020-01-05=Sun,_Jan_5,_2020 "
        "2020-01-05=Sun._5_Jan._2020 2020-01-05=5_Jan_2020,_Sunday "
        "2020-01-05=2020-01-05_(Sun) 2020-01-05=2020-01-05_Sun 2020-01-05=Sunday_2020-01-05 "
        "2020-01-05=Dimanche_5_janvier_2020 1990=c1990 1990=ca_1990 1990=around_1990 "
        "1990=~_1990 1990=um_1990 1990=vers_1990 1990=1990_г. 1990=1990_год 1990=1990年 "
        "1990=1990년 1990=约1990年 1990=1990年頃 1990=1990† 1990=1990_(approx.) "
        "1990=circa._1990 1990=≈1990 2020-01=01/2020 2020-01=1/2020 2020-01=01.2020 "
        "2020-01=01-2020 2020-01=Jan_2020 2020-01=января_2020 2020-01=январь_2020 "
        "2020-01=JAN-2020 2020-01=2020/01 2020-12-31=31.12.2020 2020-12-31=12/31/2020 "
        "2020-05-05=05.05.2020 2020-01-05=January_5,_2020."
    ),
}
OTHER_DATES = {
    "BC": (
        "44_BC=-43 44_BC=44_BC–14_AD 0044=44_a.C. 0044=44_до_н._э. 0044=44_p.n.e. "
        "0044=44_f.Kr. 0044=MÖ_44 0044=M.Ö._44 0044=44_π.Χ. 0044=44_ق.م "
        "0044=ก่อนคริสต์ศักราช_44 1200=1200_a.C. 1200=1200_p.n.e. 1200=BC_1200 "
        "1200=1200_before_Christ 1200=1200_before_common_era 1200=1200_years_ago 1200=1200_BP "
        "1200=1200_AH 1200=AH_1200 1200=1200_AUC 1200=1200_BE 2563=B.E._2563 2563=2563_พ.ศ. "
        "476=476_BC 15_March_44_BC=15_March_44 1st_century_BC=1st_century_AD 500_BCE=500 "
        "490–480_BC=490–480 490–480_BC=490–480_AD"
    ),
    "time zone": (
        "2020-01-05=2020-01-06T00:00:00Z 2020-01-05=2020-01-05T10:00_to_2020-01-07T10:00 "
        "2020-01-05=2020-01-05T25:00 2020-01-05=10:00 2020-01=2020-W01 2020=2020T10:00 "
        "2020-01-05=2020-01-05_10:00_or_2020-01-06"
    ),
    "weekday month circa": (
        "1990=1990s 1990=the_1990s 1990=early_1990 1990=mid-1990 1990=before_1990 "
        "1990=after_1990 1990=since_1990 1990=by_1990 1990=until_1990 1990=1990_or_1991 "
        "1990=1990/91 1990=1990– 1990=1990-present 1990=not_1990 1990=1990年代 "
        "1990=1990_onwards 1990=Spring_1990 1990=19900 1990=1990?1991 2020-01-05=05-Jan-20 "
        "2020-01-05=5_Jan_'20 2020-01-05=Jan_5 2020-01-05=05/01/2020 2020-01-05=01/05/2020 "
        "2020-01-05=令和2年1月5日 0002-01-05=令和2年1月5日 0109-01-05=民國109年1月5日 "
        "2020-02-29=2020-02-30 2020-01-05=Monday,_January_6,_2020 "
        "2020-01=2020-01-05_to_2020-01-07 2020-01-05=5_January_2021 2020-05-01=1_March_2020 "
        "2020-03-01=1_May_2020 2020-06-01=1_July_2020"
    ),
    "word": (
        "on:=dat sat=sun may=2020-05 now=today noon=12:00 second=sec decade=dec "
        "augusta=august mar=may 5=may may_5=may today=2020-01-05 yesterday=today tbd=tba "
        "march=april pending=ongoing present=2026 in=at 1=1st week=wed second=monday sept=sep "
        "Q1_2020=2020 Q1_2020=Q2_2020 H1_2020=2020 FY2020=2020 summer_2020=winter_2020 "
        "12=december 3_days_ago=5_days_ago"
    ),
}


def pairs(table: dict[str, str]) -> list[tuple[str, str]]:
    split = (pair.partition("=") for text in table.values() for pair in text.split())
    return [(one.replace("_", " "), other.replace("_", " ")) for one, _, other in split]


def is_paid(gold: str, answer: str, column: Column) -> bool:
    values = read_value(answer, column), read_value(gold, column)
    assert same(*values, column) == same(*values[::-1], column)
    return same(*values, column)


@pytest.mark.parametrize(("gold", "answer"), pairs(EQUAL_NUMBERS))
def test_numbers_that_are_equal(gold: str, answer: str) -> None:
    assert is_paid(gold, answer, NUMBER)


@pytest.mark.parametrize(("gold", "answer"), pairs(OTHER_NUMBERS))
def test_numbers_that_are_not(gold: str, answer: str) -> None:
    assert not is_paid(gold, answer, NUMBER)


@pytest.mark.parametrize(("gold", "answer"), pairs(EQUAL_DATES))
def test_dates_that_are_equal(gold: str, answer: str) -> None:
    assert is_paid(gold, answer, DATE)


@pytest.mark.parametrize(("gold", "answer"), pairs(OTHER_DATES))
def test_dates_that_are_not(gold: str, answer: str) -> None:
    assert not is_paid(gold, answer, DATE)
