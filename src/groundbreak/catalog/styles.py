"""How the usual products are named, as one table.

Their names hold several dates (sensing, generation, publication) of which only one is the
acquisition; which one is known by the product.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True)
class Style:
    """How one kind of product is named.

    ``pattern`` is searched in a name without its suffix, at the edge of a word. Its groups:
    ``date`` (YYYYMMDD or YYYY-MM-DD), ``doy`` (YYYYDDD), ``ymd`` (YYMMMDD) or ``month``
    (YYYY-MM), and optionally ``time`` (HHMMSS) and ``last`` (the end of a range, like ``date``
    or ``month``).
    Without any of them the name is known to hold no acquisition time.
    """

    product: str
    pattern: re.Pattern[str]
    example: str


def _style(product: str, pattern: str, example: str) -> Style:
    return Style(product, re.compile(rf"(?<![0-9A-Za-z])(?:{pattern})", re.IGNORECASE), example)


_DATE8 = r"(?P<date>(?:19|20)\d{6})"
_TIME6 = r"(?P<time>\d{6})"
_ISO = r"(?P<date>(?:19|20)\d\d-\d\d-\d\d)"
_MON = "|".join(MONTHS)

STYLES: tuple[Style, ...] = (
    _style(
        "Sentinel-2 product (sensing, then generation)",
        rf"S2[A-D]_MSIL(1C|2A)_{_DATE8}T{_TIME6}_N\d{{4}}_",
        "S2B_MSIL2A_20220126T020951_N0400_R103_T52SFA_20220126T042309",
    ),
    _style(
        "Sentinel-2 product before 2016-12 (creation, then sensing)",
        rf"S2[A-D]_OPER_PRD_MSIL.*_V{_DATE8}T{_TIME6}_",
        "S2A_OPER_PRD_MSIL1C_PDMC_20151230T202002_R008_V20151230T105153_20151230T105153",
    ),
    _style(
        "Sentinel-2 granule before 2016-12 (creation only)",
        r"S2[A-D]_OPER_MSI_L(1C|2A)_TL_",
        "S2A_OPER_MSI_L1C_TL_SGS__20170103T110000_A002721_T31UFQ_B04",
    ),
    _style(
        "Sentinel-2 band",
        rf"(L(1C|2A)_)?T\d\d[A-Z]{{3}}_{_DATE8}T{_TIME6}_",
        "T52SFA_20220126T020951_B04_10m",
    ),
    _style(
        "Sentinel-2 granule",
        rf"L(1C|2A)_T\d\d[A-Z]{{3}}_A\d{{6}}_{_DATE8}T{_TIME6}",
        "L2A_T52SFA_A025533_20220126T021003",
    ),
    _style(
        "Sentinel-2 cloud-optimised scene",
        rf"S2[A-D]_T?\d\d[A-Z]{{3}}_{_DATE8}(T{_TIME6})?_",
        "S2B_52SFA_20220126_0_L2A",
    ),
    _style(
        "Sentinel-2 of Theia",
        rf"SENTINEL2[A-D]_{_DATE8}-{_TIME6}-\d+_L",
        "SENTINEL2A_20151230-105153-392_L2A_T31UFQ_D_V1-1_FRE_B4",
    ),
    _style(
        "Sentinel-2 of Earth Engine (sensing, then generation)",
        rf"{_DATE8}T{_TIME6}_\d{{8}}T\d{{6}}_T\d\d[A-Z]{{3}}",
        "20220126T020951_20220126T021003_T52SFA",
    ),
    _style(
        "Copernicus Browser export (first and last moment)",
        rf"{_ISO}-\d\d[:_-]\d\d_(?P<last>\d{{4}}-\d\d-\d\d)-\d\d[:_-]\d\d_",
        "2023-04-26-00:00_2023-04-26-23:59_Sentinel-2_L2A_B04_(Raw)",
    ),
    _style(
        "Landsat collection (acquisition, then processing)",
        rf"L[COTEM]\d\d_(L\w{{3}}|CU|AK|HI)_\d{{6}}_{_DATE8}_\d{{8}}_",
        "LC08_L2SP_116034_20220126_20220204_02_T1_SR_B4",
    ),
    _style(
        "Landsat order",
        rf"L[COTEM]\d\d\d{{6}}{_DATE8}\d\d(T1|T2|RT)?",
        "LC081160342015050301T1-SC20190101123456",
    ),
    _style(
        "Landsat before collections",
        r"L[COTEM]\d\d{6}(?P<doy>(19|20)\d{5})[A-Z]{3}\d\d",
        "LC81160342015123LGN00_B4",
    ),
    _style(
        "Harmonised Landsat and Sentinel-2",
        rf"HLS\.[LS]30\.T\d\d[A-Z]{{3}}\.(?P<doy>20\d{{5}})T{_TIME6}\.",
        "HLS.S30.T52SFA.2022026T020951.v2.0.B04",
    ),
    _style(
        "Planet scene",
        rf"{_DATE8}_{_TIME6}_(\d\d_)?([0-9a-f]{{4}}|ssc?\d+\w*)(_|$)",
        "20151119_025740_0c74_3B_AnalyticMS",
    ),
    _style(
        "Planet mosaic of one or several months",
        r"(planet_medres_(normalized_analytic|visual|analytic)|global_monthly)"
        r"_(?P<month>20\d\d[-_]\d\d)(_(?P<last>20\d\d-\d\d))?_mosaic",
        "planet_medres_normalized_analytic_2019-12_2020-05_mosaic",
    ),
    _style(
        "RapidEye tile",
        rf"\d{{7}}_{_ISO}(T{_TIME6})?_RE\d_",
        "1056417_2017-03-08_RE3_3A_Visual_clip",
    ),
    _style(
        "Maxar delivery",
        rf"(?P<ymd>\d\d({_MON})\d\d){_TIME6}-",
        "22MAR01153318-S2AS_R1C1-012345678010_01_P001",
    ),
    _style(
        "Pléiades or SPOT",
        rf"(IMG|DIM|SEN)_(PHR1[AB]|SPOT[67]|PNEO\d)_[A-Z0-9-]+_(\d{{3}}_)?{_DATE8}{_TIME6}",
        "IMG_PHR1A_PMS_201901011030123_ORT_1234567101-001_R1C1",
    ),
    _style(
        "KOMPSAT",
        rf"K(2|3|3A|5)_{_DATE8}{_TIME6}_",
        "K3A_20190101043210_21234_00123456_L1G_PS",
    ),
    _style(
        "NAIP (acquisition, then publication)",
        rf"m_\d{{7}}_(ne|nw|se|sw)_\d\d_\w+?_{_DATE8}(_\d{{8}})?$",
        "m_4509601_ne_14_060_20180716_20190102",
    ),
)
